"""What is predicted of an image: its class, its tags, or a number; which column of a table has it, and how cells are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from caudex.core.errors import CaudexError, counted
from caudex.data.headers import find_column
from caudex.data.labels import describe_missing, parse_label, parse_number
from caudex.data.stratified import seeded_permutation

AUTO = "auto"
"""the column `label`, else the first; one called `tags` holds tags, any other names of classes"""
KINDS = ("class", "tags", "number")
MIN_LABELLED_FOR_TEST = 10
"""labelled images, of tags or numbers, from which on some are held out"""
T = TypeVar("T")
Line = tuple[int, str, list[str]]  # number of the line, path, cells


def is_labelled(labels: Tensor) -> Tensor:
    """bool [N], of the labels of any kind."""
    if not labels.is_floating_point():
        return labels >= 0
    is_unknown = labels.isnan()
    return ~(is_unknown.any(1) if labels.ndim == 2 else is_unknown)


def unknown_labels(labels: Tensor) -> Tensor:
    """As many labels of the same kind, none of which is known."""
    return torch.full_like(labels, math.nan if labels.is_floating_point() else -1)


def choose_column(target: str, columns: Sequence[str], path: Path) -> tuple[str, str]:
    """The kind of the target and its column: `class`, `auto`, or KIND:COLUMN. Raises CaudexError for a column that is not there."""
    kind, _, name = target.partition(":")
    if name:
        return kind, columns[find_column(name, columns, path)]
    main = min(columns, key=lambda name: (name != "label", name.casefold() != "label"))  # else the first
    return ("tags" if kind == AUTO and main.casefold() == "tags" else "class"), main


def check_target(target: str) -> None:
    """Raises CaudexError for a `--target` that is not KIND:COLUMN."""
    kind, _, name = target.partition(":")
    if kind not in KINDS or not name:
        raise CaudexError(
            f"--target {target}: say class:COLUMN, tags:COLUMN (names separated by |) or number:COLUMN, of a table of labels."
        )


def encode_tags(
    lines: Sequence[Line], rows: Sequence[int], column: int, count: int, path: Path
) -> tuple[Tensor, tuple[str, ...]]:
    """float32 [count, K] of cells with names separated by |. An empty cell is an image with no tag; one that says that there is no
    label (`nan`, `n/a`, ...) is unlabelled. Raises CaudexError where no tag tells images apart."""
    tags_of = collect_cells(lines, rows, column, _parse_tags, path, "Keep one line, with its tags separated by |.")
    names = sorted({name for tags in tags_of.values() for name in tags})
    labels = torch.full((count, len(names)), math.nan)
    numbers = {name: number for number, name in enumerate(names)}
    for row, tags in tags_of.items():
        labels[row] = 0
        labels[row, [numbers[name] for name in tags]] = 1
    rows_of_tags = labels[is_labelled(labels)]
    if not names or (rows_of_tags == rows_of_tags[:1]).all():
        problem = f"the same tags, {'|'.join(names)!r}, on every image" if names else "no tag"
        raise CaudexError(
            f"{path} has {problem}; there is nothing to learn. Name images without tags too, with an empty cell."
        )
    return labels, tuple(names)


def encode_numbers(
    lines: Sequence[Line], rows: Sequence[int], column: int, count: int, path: Path
) -> tuple[Tensor, tuple[str, ...]]:
    """float64 [count] of cells with a number, or nothing. Raises CaudexError for other cells, and where all numbers are the same."""
    number_of = collect_cells(lines, rows, column, parse_number, path, "Keep one.")
    labels = torch.full((count,), math.nan, dtype=torch.float64)
    labels[list(number_of)] = torch.tensor(list(number_of.values()), dtype=torch.float64)
    if len(values := set(number_of.values())) < 2:
        problem = f"the same number, {values.pop():g}, for every image" if values else "no number"
        raise CaudexError(f"{path} has {problem} in that column; there is nothing to learn.")
    return labels, ()


def collect_cells(
    lines: Sequence[Line], rows: Sequence[int], column: int, parse: Callable[[str], T | None], path: Path, advice: str
) -> dict[int, T]:
    """What the cells of a column say, by the row of the image; None is nothing. Raises CaudexError, which ends in the `advice`,
    where two lines say different things of one image, and names the line of a cell that `parse` raises ValueError for."""
    value_of: dict[int, tuple[T, str]] = {}
    for (line, name, cells), row in zip(lines, rows):
        try:
            value = parse(cells[column])
        except ValueError as error:
            raise CaudexError(f"{path}, line {line:,}: {error}") from None
        if value is None:
            continue
        earlier, cell = value_of.setdefault(row, (value, cells[column]))
        if earlier != value:
            raise CaudexError(f"{path} calls {name!r} both {cell!r} and {cells[column]!r} (line {line:,}). {advice}")
    return {row: value for row, (value, _) in value_of.items()}


def describe_untagged(cells: Iterable[str]) -> list[str]:
    """Sentences on the images without tags, and on those that are unlabelled."""
    cells = list(cells)
    untagged = sum(_parse_tags(cell) == frozenset() for cell in cells)
    notes = [describe_missing((cell for cell in cells if _parse_tags(cell) is None), "whose images are unlabelled")]
    if untagged:
        notes.append(
            f"{counted(untagged, 'image')} without any tag: none of the tags fits them; leave images whose tags are unknown out of "
            "the table"
        )
    return [note for note in notes if note]


def describe_unnumbered(cells: Iterable[str]) -> list[str]:
    """A sentence on the images that have no number."""
    missing = describe_missing((cell for cell in cells if parse_number(cell) is None), "whose images are unlabelled")
    return [missing.split("; if")[0]] if missing else []


def sample_test_rows(labels: Tensor, share: float, seed: int) -> Tensor:
    """int64: labelled images to hold out, of tags or numbers, drawn at random; none where fewer than ten are labelled. No image is
    held out that alone has one of its tags."""
    labelled = is_labelled(labels).nonzero().flatten()
    if len(labelled) < MIN_LABELLED_FOR_TEST or not share:
        return labelled[:0]
    remaining = labels[labelled].nan_to_num().sum(0) if labels.ndim == 2 else None
    held_out = []
    for row in labelled[seeded_permutation(len(labelled), seed, "test share")].tolist():
        if len(held_out) == max(1, round(share * len(labelled))):
            break
        if remaining is not None:
            if (remaining[labels[row] > 0] < 2).any():
                continue
            remaining -= labels[row]
        held_out.append(row)
    return torch.tensor(sorted(held_out), dtype=torch.int64)


def _parse_tags(cell: str) -> frozenset[str] | None:
    """Names separated by |, in any order, each once; None where the cell says that there is no label."""
    if cell and "|" not in cell and not parse_label(cell):
        return None
    return frozenset(name for part in cell.split("|") if (name := parse_label(part)))
