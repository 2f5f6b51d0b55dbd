"""Labels in a table: path,label and perhaps further label columns; images that it does not name are unlabelled."""

# compares paths as bytes, which pathlib would slow down
# ruff: noqa: PTH100, PTH113, PTH118

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images.folders import add_test, found, role
from caudex.data.images.paths import Paths, below, folders_in
from caudex.data.images.splits import Found


def table(path: Path, root: Path, size: int) -> Found:
    """The images below `root` with the labels of the table `path`, whose paths start at root or beside the table.

    root/test/<class>/ is the test set, unless the table names images in it. CaudexError for a table that is not
    UTF-8, lacks columns, contradicts itself or names files that are not there.
    """
    columns, lines = read_table(path)
    test = role(root, "test")
    if test and (not folders_in(root / test) or _names_in(lines, path, root, test)):
        test = ""
    paths = Paths(root)
    paths.add(below(root, leave_out=[test]))
    rows = _rows(lines, path, root, paths)
    labelled = {name: _labels(lines, rows, column, len(paths), path) for column, name in enumerate(columns)}
    main = "label" if "label" in columns else columns[0]
    labels, classes = labelled[main]
    if len(classes) < 2:
        only = f"one class, {classes[0]!r}" if classes else "no label"
        raise CaudexError(f"{path} has {only} in column {main!r}; a classifier needs two.")
    training = len(paths)
    if test:
        added = add_test(paths, root, test, classes, path)
        tested = [label for name, count in added for label in [classes.index(name)] * count]
        nobody = torch.full((len(tested),), -1)
        labelled = {name: (torch.cat([column, nobody]), its) for name, (column, its) in labelled.items()}
        labels = torch.cat([labels, torch.tensor(tested, dtype=torch.int64)])
        labelled[main] = (labels, classes)
    return found(paths, labels, classes, training, size, labelled if len(labelled) > 1 else None)


def read_table(path: Path) -> tuple[list[str], list[tuple[int, str, list[str]]]]:
    """The names of the label columns, and (line number, path, labels) of each line that names an image."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise CaudexError(f"The table of labels {path} is not there.") from None
    except OSError as error:
        raise CaudexError(f"The table of labels {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise CaudexError(f"{path} is not UTF-8 (byte {error.start:,}); save it as CSV in UTF-8.") from None
    header = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    lines = []
    try:
        columns = [name.strip() for name in next(reader, [])]
        if "path" not in columns or len(columns) < 2 or len(set(columns)) < len(columns) or "" in columns:
            raise CaudexError(
                f"{path} has the columns {', '.join(columns) or '(none)'}; "
                "it needs `path` and at least one column of labels, as in path,label."
            )
        at = columns.index("path")
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if len(cells) != len(columns) or not cells[at]:
                raise CaudexError(
                    f"{path}, line {reader.line_num}: {','.join(cells)!r} does not fit the columns {','.join(columns)}."
                )
            lines.append((reader.line_num, cells.pop(at), cells))
    except csv.Error as error:
        raise CaudexError(f"{path}, line {reader.line_num}: {error}.") from None
    columns.pop(at)
    return columns, lines


def _candidates(name: str, table: Path, root: Path) -> list[bytes]:
    """Where a path of the table may lie, the likeliest first: relative to root if it is below root, else absolute."""
    below = os.path.join(os.path.abspath(root), "")
    full = [os.path.normpath(os.path.join(os.path.abspath(start), name)) for start in (root, table.parent)]
    return [os.fsencode(path.removeprefix(below)) for path in full]


def _names_in(lines, table: Path, root: Path, folder: str) -> bool:
    start = os.fsencode(os.path.join(folder, ""))
    return any(each.startswith(start) for _, name, _ in lines for each in _candidates(name, table, root))


def _rows(lines, table: Path, root: Path, paths: Paths) -> list[int]:
    """The row of each line's image; files outside root are appended to the paths."""
    candidates = [_candidates(name, table, root) for _, name, _ in lines]
    wanted = {each for both in candidates for each in both}
    known = {path: row for row in range(len(paths)) if (path := paths.below(row)) in wanted}
    rows, missing = [], []
    for (line, name, _), both in zip(lines, candidates):
        path = next((each for each in both if each in known), None)
        if path is None:
            path = next((each for each in both if os.path.isfile(os.path.join(paths.root, each))), None)
            if path is None:
                missing.append((name, line))
                continue
            known[path] = len(paths)
            paths.add([path])
        rows.append(known[path])
    if missing:
        name, line = missing[0]
        raise CaudexError(
            f"{table} names files that are not there ({len(missing):,}), the first is {name!r} (line {line:,}); "
            f"paths start at {root} or beside the table."
        )
    return rows


def _labels(lines, rows: list[int], column: int, count: int, table: Path) -> tuple[Tensor, tuple[str, ...]]:
    """int64 [count] with -1 where the table says nothing, and the class names."""
    given: dict[int, str] = {}
    for (line, name, cells), row in zip(lines, rows):
        if not cells[column]:
            continue
        if given.setdefault(row, cells[column]) != cells[column]:
            raise CaudexError(
                f"{table} calls {name!r} both {given[row]!r} and {cells[column]!r} (line {line:,}). Keep one."
            )
    classes = sorted(set(given.values()))
    labels = torch.full((count,), -1, dtype=torch.int64)
    if given:
        numbers = {name: number for number, name in enumerate(classes)}
        labels[list(given)] = torch.tensor([numbers[label] for label in given.values()])
    return labels, tuple(classes)
