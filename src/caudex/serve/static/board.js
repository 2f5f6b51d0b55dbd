// The page of a board. The program holds the game, for all tabs; this page shows it and asks for changes by the version it shows.

import { drawBoard } from "./board_drawing.js";
import { Problem, element, notice, request, tag } from "./page.js";

const page = element("page");
const MOVES_OF_A_SEARCH = 5;
const PULSE = 1000; // milliseconds between looks for what other tabs have done
let game; // as the program describes it
let cursor = null; // the cell that keys are at
let chosen = null; // in chess the cell of the piece that is to move
let busy = false; // a change is on its way
let isLost = false; // the program did not answer

const isTurn = () => !game.over && game.humans[game.to_play];
const sideOf = (player) => game.sides[player];

// -- what is seen ------------------------------------------------------------------------------------------------------

function status() {
  if (game.over) return game.outcome[0].toUpperCase() + game.outcome.slice(1);
  if (!isTurn()) return `${sideOf(game.to_play)} to move: the run thinks`;
  return `${sideOf(game.to_play)} to move: ${game.humans[0] && game.humans[1] ? "a person" : "you"}`;
}

// Actions by the cell that is chosen for them: in chess first the piece, in Connect Four any cell of the column.
function actionsAt(cell) {
  const { kind, columns } = game.layout;
  if (kind === "chess") return game.legal.filter(({ source, target }) => (chosen === null ? source === cell : source === chosen && target === cell));
  if (kind === "connect-four") return game.legal.filter(({ target }) => target % columns === cell % columns);
  return game.legal.filter(({ target }) => target === cell);
}

function legalCells() {
  const cells = game.cells.map((_, cell) => cell);
  return new Set(isTurn() ? cells.filter((cell) => actionsAt(cell).length) : []);
}

// The search whose moves fit on the board as it is: of this position, or of the one before the last move.
function shownSearch() {
  const fits = game.search && game.moves.length - game.search.ply <= 1;
  return fits && element("visits").checked ? game.search : null;
}

function draw() {
  const { kind } = game.layout;
  const hadFocus = element("board").contains(document.activeElement);
  page.dataset.kind = kind;
  page.dataset.state = game.thinking || (!game.over && !isTurn()) ? "thinking" : game.over ? "over" : "ready";
  element("status").textContent = status();
  if (kind === "text") element("board").replaceChildren(tag("pre", game.drawing));
  else {
    cursor = Math.min(cursor ?? Math.floor(game.cells.length / 2), game.cells.length - 1);
    const turned = kind === "chess" && game.humans[1] && !game.humans[0];
    element("board").replaceChildren(drawBoard(game, { legal: legalCells(), chosen, cursor, search: shownSearch(), turned, choose }));
    if (hadFocus) focusCursor();
  }
  drawChoices();
  drawSearch();
  drawMoves();
  drawSettings();
  element("hint").disabled = game.over;
  element("back").disabled = game.moves.length === 0;
}

const moveButton = (action) => {
  const button = tag("button", action.name, { type: "button" });
  button.addEventListener("click", () => play(action.action));
  return button;
};

// Moves that are no cell of the board: all of a game that has no drawing, a pass, the pieces of a promotion.
function drawChoices(actions = game.legal.filter(({ target }) => target === null)) {
  element("choices").replaceChildren(...(isTurn() ? actions.map(moveButton) : []));
  element("choices").hidden = !element("choices").hasChildNodes();
}

function drawSearch() {
  const { search } = game;
  element("search").hidden = !search;
  element("chance").hidden = !search;
  if (!search) return;
  const { actions, player, chance, simulations, ply } = search;
  const most = actions[0]?.visits ?? 1;
  const percent = (share) => `${Math.round(100 * share)}%`;
  element("search-title").textContent = `Search before move ${ply + 1}: win chance of ${sideOf(player)} ${percent(chance)}, ${simulations.toLocaleString("en")} simulations`;
  element("search-moves").replaceChildren(...actions.slice(0, MOVES_OF_A_SEARCH).map(({ name, visits }) => {
    const [row, bar] = [tag("li", ""), tag("div", "")];
    bar.style.width = `${(100 * visits) / most}%`;
    row.append(tag("span", name), bar, tag("small", visits.toLocaleString("en"), { title: "visits" }));
    return row;
  }));
  const first = player === 0 ? chance : 1 - chance;
  element("chance-share").style.width = `${100 * first}%`;
  element("chance-first").textContent = `${sideOf(0)} ${percent(first)}`;
  element("chance-second").textContent = `${percent(1 - first)} ${sideOf(1)}`;
}

function drawMoves() {
  const moves = game.moves.map((name, ply) => {
    const item = tag("li", "");
    item.append(tag("small", `${ply + 1}.`), name);
    return item;
  });
  element("moves").replaceChildren(...moves);
  element("moves").scrollTop = element("moves").scrollHeight;
  element("record").textContent = `Download ${game.suffix.slice(1).toUpperCase()}`;
  element("record").toggleAttribute("aria-disabled", game.games === 0);
}

function drawSettings() {
  const choices = [[sideOf(0), [true, false]], [sideOf(1), [false, true]], ["both sides", [true, true]], ["no side", [false, false]]];
  const options = choices.map(([name, humans]) => tag("option", name, { value: JSON.stringify(humans) }));
  if (element("players").options.length === 0) element("players").replaceChildren(...options);
  element("players").value = JSON.stringify(game.humans);
  element("simulations").max = game.max_simulations;
  if (document.activeElement !== element("simulations")) element("simulations").value = game.simulations;
}

// -- what is done ------------------------------------------------------------------------------------------------------

function show(state) {
  if (!game || state.version !== game.version) chosen = null;
  game = state;
  draw();
}

// One change at a time. A change of a game that has gone on meanwhile is refused, and the game is shown as it is.
async function change(path, body = {}) {
  if (busy || !game) return;
  busy = true;
  notice("");
  try {
    const answer = await request(path, { version: game.version, ...body });
    if (answer.conflict) notice("The game has gone on in another tab. Nothing was changed; here it is as it stands now.");
    show(answer.conflict ? answer.game : answer);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notice(error.message);
    draw();
  } finally {
    busy = false;
  }
  reply();
}

const play = (action) => change("/moves", { action });

// Ask for the run's move. It may come late: after a move was taken back, or after another tab's request.
let awaited = null; // the version whose reply is on its way
async function reply() {
  if (game.over || isTurn() || game.thinking || awaited !== null) return;
  awaited = game.version;
  try {
    const answer = await request("/replies", { version: awaited });
    show(answer.conflict ? answer.game : answer);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notice(error.message);
    return; // the next look tries again
  } finally {
    awaited = null;
  }
  reply();
}

function choose(cell) {
  cursor = cell;
  const actions = isTurn() ? actionsAt(cell) : [];
  if (game.layout.kind === "chess" && chosen === null) {
    if (actions.length) chosen = cell;
  } else if (actions.length === 1) {
    play(actions[0].action);
    return;
  } else if (actions.length > 1) {
    const order = (action) => "qrbn".indexOf(action.name.at(-1)); // the pieces of a promotion, the queen first
    drawChoices(actions.toSorted((one, other) => order(one) - order(other)));
    element("choices").querySelector("button").focus();
    return;
  } else if (game.layout.kind === "chess") {
    chosen = null;
    if (isTurn() && actionsAt(cell).length) chosen = cell;
  } else if (!busy) {
    notice(isTurn() ? "That is not a legal move here." : game.over ? "The game is over." : "It is the run's turn.");
  }
  draw();
  focusCursor();
}

function focusCursor() {
  element("board").querySelector(`[data-cell="${cursor}"]`)?.focus({ preventScroll: true });
}

function moveCursor(down, right) {
  const { rows, columns, kind } = game.layout;
  if (!rows) return;
  const turn = kind === "chess" && game.humans[1] && !game.humans[0] ? -1 : 1;
  const row = Math.min(rows - 1, Math.max(0, Math.floor(cursor / columns) + turn * down));
  const column = Math.min(columns - 1, Math.max(0, (cursor % columns) + turn * right));
  cursor = row * columns + column;
  draw();
  focusCursor();
}

const commands = { hint: () => change("/hints"), back: () => change("/returns"), begin: () => change("/games") };
const keys = {
  h: commands.hint, u: commands.back, Backspace: commands.back, n: commands.begin,
  m: () => element("move").focus(),
  v: () => { element("visits").checked = !element("visits").checked; draw(); },
  ArrowUp: () => moveCursor(-1, 0), ArrowDown: () => moveCursor(1, 0), ArrowLeft: () => moveCursor(0, -1), ArrowRight: () => moveCursor(0, 1),
  Escape: () => { chosen = null; draw(); },
};

document.addEventListener("keydown", (event) => {
  if (!game || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const cell = event.target.closest(".cell");
  const isPress = event.key === "Enter" || event.key === " ";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const column = game.layout.kind === "connect-four" && game.layout.column_names.indexOf(key);
  if (isPress && cell) choose(Number(cell.dataset.cell));
  else if (column !== false && column >= 0) choose(column);
  else if (!isPress && keys[key]) keys[key]();
  else return;
  event.preventDefault();
});
for (const [name, command] of Object.entries(commands)) element(name).addEventListener("click", command);
element("entry").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = element("move").value.trim();
  if (!text) return;
  const { version } = game;
  await change("/moves", { text });
  if (game.version !== version) element("move").value = "";
});
const setPlayers = () => change("/players", { humans: JSON.parse(element("players").value), simulations: Math.max(0, Math.round(element("simulations").valueAsNumber || 0)) });
element("players").addEventListener("change", setPlayers);
element("simulations").addEventListener("change", setPlayers);
element("visits").addEventListener("change", draw);

// Other tabs change the game, too.
async function look() {
  try {
    const stamp = await request("/stamp");
    if (isLost) location.reload(); // the program was started anew
    const isNew = ["version", "searches", "thinking"].some((name) => stamp[name] !== game?.[name]);
    if (isNew && !busy && awaited === null) show(await request("/game"));
    if (game) reply();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notice(error.message);
    isLost = true;
  }
}

await look();
setInterval(look, PULSE);
