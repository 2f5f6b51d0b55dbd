// The board as SVG: cells of 10 by 10, by the kind of game. Cells are numbered row by row from the top left.

const SIDE = 10;
const MARGIN = 6;
const HEX_RADIUS = SIDE / Math.sqrt(3);
const GLYPHS = { k: "♚", q: "♛", r: "♜", b: "♝", n: "♞", p: "♟" };
const PIECES = { k: "king", q: "queen", r: "rook", b: "bishop", n: "knight", p: "pawn" };
const TEXT_STYLE = "\uFE0E"; // a pawn would be an emoji elsewhere
const COUNTS = 8; // visits that are written out, of the most visited cells

export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const circle = (x, y, r, className) => svg("circle", { cx: x, cy: y, r, class: className });
const rectangle = (x, y, width, height, className, rx = 0) => svg("rect", { x, y, width, height, rx, class: className });
const line = (x1, y1, x2, y2, className) => svg("line", { x1, y1, x2, y2, class: className });
const text = (x, y, content, className) => svg("text", { x, y, class: className }, String(content));

// Where the centre of each cell is, and the size of the drawing.
function geometry({ kind, rows, columns }) {
  const isHex = kind === "hex";
  const high = isHex ? HEX_RADIUS * 1.5 : SIDE;
  const top = MARGIN + (isHex ? HEX_RADIUS : SIDE / 2);
  return {
    width: 2 * MARGIN + columns * SIDE + (isHex ? (rows - 1) * SIDE / 2 : 0),
    height: top + (rows - 1) * high + top,
    centre: (cell) => {
      const row = Math.floor(cell / columns);
      return [MARGIN + SIDE / 2 + (cell % columns) * SIDE + (isHex ? row * SIDE / 2 : 0), top + row * high];
    },
  };
}

const hexPoints = (x, y, corners = [0, 1, 2, 3, 4, 5]) =>
  corners.map((corner) => {
    const angle = (corner * Math.PI) / 3 - Math.PI / 2; // from the top, clockwise
    return `${x + HEX_RADIUS * Math.cos(angle)},${y + HEX_RADIUS * Math.sin(angle)}`;
  }).join(" ");

// What lies below the stones.
function ground({ kind, rows, columns }, { width, height, centre }) {
  const cells = Array.from({ length: rows * columns }, (_, cell) => cell);
  const corner = (cell) => centre(cell).map((place) => place - SIDE / 2);
  if (kind === "connect-four") {
    const board = rectangle(MARGIN - 1, MARGIN - 1, columns * SIDE + 2, rows * SIDE + 2, "ground", 2);
    return [board, ...cells.map((cell) => circle(...centre(cell), 4.1, "hole"))];
  }
  if (kind === "go") {
    const [[left, top], [right, bottom]] = [centre(0), centre(rows * columns - 1)];
    const lines = Array.from({ length: rows }, (_, n) => [
      line(left, top + n * SIDE, right, top + n * SIDE, "line"),
      line(left + n * SIDE, top, left + n * SIDE, bottom, "line"),
    ]);
    return [rectangle(left - 8, top - 8, right - left + 16, bottom - top + 16, "wood", 1.5), ...lines.flat(), ...stars(rows).map((cell) => circle(...centre(cell), 0.9, "star"))];
  }
  if (kind === "hex") {
    const edge = (cell, corners, className) => svg("polyline", { points: hexPoints(...centre(cell), corners), class: `edge ${className}` });
    return [
      ...cells.filter((cell) => cell < columns).map((cell) => edge(cell, [5, 0, 1], "p0")),
      ...cells.filter((cell) => cell >= columns * (rows - 1)).map((cell) => edge(cell, [4, 3, 2], "p0")),
      ...cells.filter((cell) => cell % columns === 0).map((cell) => edge(cell, [5, 4], "p1")),
      ...cells.filter((cell) => cell % columns === columns - 1).map((cell) => edge(cell, [1, 2], "p1")),
      ...cells.map((cell) => svg("polygon", { points: hexPoints(...centre(cell)), class: "square" })),
    ];
  }
  const shade = (cell) => (((cell % columns) + Math.floor(cell / columns)) % 2 ? "square dark" : "square light");
  return cells.map((cell) => rectangle(...corner(cell), SIDE, SIDE, shade(cell)));
}

// The star points of Go, as cells.
function stars(size) {
  const edge = size >= 12 ? 3 : 2;
  const middle = (size - 1) / 2;
  const lines = [...new Set(size < 7 ? [middle] : size >= 13 ? [edge, middle, size - 1 - edge] : [edge, size - 1 - edge])].filter(Number.isInteger);
  const points = lines.flatMap((row) => lines.map((column) => row * size + column));
  if (size % 2 && size >= 7 && size < 13) points.push(middle * size + middle);
  return points;
}

function labels({ kind, rows, columns, row_names: rowNames, column_names: columnNames }, { centre }) {
  const [, bottom] = centre((rows - 1) * columns);
  const away = kind === "go" || kind === "hex" ? SIDE * 0.95 : SIDE * 0.8;
  const below = ["go", "chess"].includes(kind);
  const names = columnNames.map((name, column) => {
    const [x, y] = centre(column);
    return text(x, below ? bottom + away : y - away, name, "label");
  });
  const numbers = rowNames.map((name, row) => {
    const [x, y] = centre(row * columns);
    return text(x - away, y, name, "label");
  });
  return [...names, ...numbers];
}

function stone(kind, value, x, y, className = "stone") {
  if (!value) return [];
  if (kind === "chess") {
    const isBlack = value === value.toLowerCase();
    return [text(x, y + 0.4, GLYPHS[value.toLowerCase()] + TEXT_STYLE, `${className} ${isBlack ? "black" : "white"}`)];
  }
  const name = `${className} p${value}`;
  if (kind === "tic-tac-toe") {
    if (value === "1") return [circle(x, y, 2.9, name)];
    return [line(x - 2.6, y - 2.6, x + 2.6, y + 2.6, name), line(x - 2.6, y + 2.6, x + 2.6, y - 2.6, name)];
  }
  return [circle(x, y, kind === "go" ? 4.6 : kind === "hex" ? 3.6 : 4.1, name)];
}

// What a cell is called by a screen reader.
function cellName(game, cell) {
  const { kind, columns, row_names: rows, column_names: names } = game.layout;
  const [row, column, value] = [Math.floor(cell / columns), cell % columns, game.cells[cell]];
  const place = kind === "connect-four" ? `column ${names[column]}, row ${game.layout.rows - row}` : `${names[column]}${rows[row]}`;
  if (!value) return `${place}, empty`;
  if (kind !== "chess") return `${place}, ${game.sides[value]}`;
  return `${place}, ${value === value.toLowerCase() ? "black" : "white"} ${PIECES[value.toLowerCase()]}`;
}

// The visits of a search, drawn where its actions lead.
function visits({ actions }, kind, centre) {
  const total = actions.reduce((sum, { visits: count }) => sum + count, 0);
  const placed = actions.filter(({ target }) => target !== null);
  if (kind === "chess") {
    return placed.slice(0, COUNTS).map(({ source, target, visits: count }) => {
      const arrow = line(...centre(source), ...centre(target), "arrow");
      arrow.setAttribute("stroke-width", 0.4 + 2 * (count / total));
      arrow.setAttribute("opacity", 0.4 + 0.5 * (count / total));
      return arrow;
    });
  }
  return placed.flatMap(({ target, visits: count }, rank) => {
    const [x, y] = centre(target);
    const mark = circle(x, y, 1 + 3 * Math.sqrt(count / total), "visits");
    return rank < COUNTS ? [mark, text(x, y, count.toLocaleString("en"), "count")] : [mark];
  });
}

// The drawing. `legal` maps cells to whether they can be chosen, `chosen` is the cell of the piece that is to move, `cursor` takes the
// focus, `search` is shown where it is not null. A cell reports with its number to `choose`.
export function drawBoard(game, { legal, chosen, cursor, search, turned, choose }) {
  const { layout, cells } = game;
  const { kind, rows, columns } = layout;
  const place = geometry(layout);
  const { width, height } = place;
  const centre = (cell) => place.centre(turned ? rows * columns - 1 - cell : cell);
  const named = turned ? { ...layout, row_names: [...layout.row_names].reverse(), column_names: [...layout.column_names].reverse() } : layout;
  const landing = new Set(legal.size ? game.legal.map(({ target }) => target) : []);
  const groups = cells.map((value, cell) => {
    const [x, y] = centre(cell);
    const isLegal = legal.has(cell);
    const hit = kind === "hex" ? svg("polygon", { points: hexPoints(x, y), class: "hit" }) : rectangle(x - SIDE / 2, y - SIDE / 2, SIDE, SIDE, "hit");
    const parts = [hit, ...stone(kind, value, x, y)];
    if (landing.has(cell) && kind !== "chess") parts.push(...stone(kind, String(game.to_play), x, y, "ghost"));
    if (isLegal && chosen !== null && kind === "chess") parts.push(circle(x, y, value ? 4.4 : 1.5, "target"));
    const group = svg("g", { class: `cell${isLegal ? " legal" : ""}${cell === chosen ? " chosen" : ""}`, "data-cell": cell, role: "button", tabindex: cell === cursor ? 0 : -1, "aria-label": cellName(game, cell) }, ...parts);
    group.addEventListener("click", () => choose(cell));
    return group;
  });
  const marks = game.last.map((cell) => {
    const [x, y] = centre(cell);
    return kind === "chess" ? rectangle(x - 4.6, y - 4.6, 9.2, 9.2, "last") : circle(x, y, kind === "tic-tac-toe" ? 4.4 : 2.6, "last");
  });
  // a stone can be dropped from anywhere in its column
  const columnsOf = (all) => layout.column_names.map((_, column) => svg("g", { class: "column" }, ...all.filter((_, cell) => cell % columns === column)));
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "board" });
  drawing.append(...ground(layout, place), ...labels(named, place), ...(kind === "connect-four" ? columnsOf(groups) : groups), ...marks, ...(search ? visits(search, kind, centre) : []));
  return drawing;
}
