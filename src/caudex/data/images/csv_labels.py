"""Labels from a CSV: path,label and perhaps further label columns; images that it does not name are unlabelled."""

# compares paths as bytes, which pathlib would slow down
# ruff: noqa: PTH100, PTH113, PTH118

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.encodings import check_encoding, check_no_nul, suggest_encoding
from caudex.data.files import list_folders, parse_printable
from caudex.data.headers import check_names, find_column, numbers_rows
from caudex.data.images.decode import ImageFormat
from caudex.data.images.folders import check_test_classes, decode_paths, find_test_images
from caudex.data.images.paths import ImagePaths, image_finder
from caudex.data.images.splits import UnsplitImages
from caudex.data.images.targets import (
    choose_column,
    collect_cells,
    describe_unnumbered,
    describe_untagged,
    encode_numbers,
    encode_tags,
)
from caudex.data.labels import describe_distinct, describe_missing, parse_label

NEEDED = " The table needs `path` and at least one column of labels, as in path,label."
BYTE_ORDER_MARK = "\ufeff"


def read_csv_labels(path: Path, root: Path, image_format: ImageFormat, target: str = "class") -> UnsplitImages:
    """The images below `root` with the labels of the CSV `path`, whose paths start at root or beside the CSV; `target` is as in
    `choose_column`.

    root/test/<class>/ is the test set, unless the CSV names images in it. CaudexError for a CSV that is not
    UTF-8, lacks columns, contradicts itself or names files that are not there.
    """
    columns, lines = parse_csv(path)
    kind, main = choose_column(target, columns, path)
    test = next((name for name in list_folders(root) if name.lower() == "test"), "")
    if test and (not list_folders(root / test) or _names_files_in(lines, path, root, test)):
        test = ""
    paths, finder, test_finder = ImagePaths(root), image_finder(root), image_finder(root)
    test_images = find_test_images(test_finder, root, test) if test and kind == "class" else {}
    finder.exclude(test_finder)
    paths.add(finder.below(leave_out=[test]))
    rows = _match_rows(lines, path, root, paths)
    label_columns = {
        name: _encode_column(lines, rows, column, len(paths), path)
        for column, name in enumerate(columns)
        if name != main or kind == "class"
    }
    if kind != "class":
        column, skipped = columns.index(main), finder.skipped + test_finder.skipped
        encode = {"tags": encode_tags, "number": encode_numbers}[kind]
        labels, classes = encode(lines, rows, column, len(paths), path)
        cells = [cells[column] for _, _, cells in lines]
        notes = describe_untagged(cells) if kind == "tags" else describe_unnumbered(cells)
        notes += [f"{root / test} is left out: its folders are classes, and the table has {kind}"] if test else []
        images = decode_paths(paths, labels, classes, len(paths), image_format, skipped, label_columns, notes)
        return replace(images, images=replace(images.images, target=kind, target_name=main))
    labels, classes = label_columns[main]
    distinct = _check_main_column(path, main, label_columns)
    missing = describe_missing((cells[columns.index(main)] for _, _, cells in lines), "whose images are unlabelled")
    if len(classes) < 2:
        problem = f"one class, {classes[0]!r}" if classes else "no label"
        missing = f" {missing[0].upper()}{missing[1:]}." if missing else ""
        raise CaudexError(f"{path} has {problem} in column {main!r}; a classifier needs two.{missing}")
    train_count = len(paths)
    check_test_classes(test_images, classes, root / test, path)
    if test_images:
        test_labels = [classes.index(name) for name, images in test_images.items() for _ in range(paths.add(images))]
        unlabelled = torch.full((len(test_labels),), -1)
        label_columns = {
            name: (torch.cat([column, unlabelled]), names) for name, (column, names) in label_columns.items()
        }
        labels = torch.cat([labels, torch.tensor(test_labels, dtype=torch.int64)])
        label_columns[main] = (labels, classes)
    extra_columns = label_columns if len(label_columns) > 1 else None
    skipped, notes = finder.skipped + test_finder.skipped, [note for note in (missing, distinct) if note]
    return decode_paths(paths, labels, classes, train_count, image_format, skipped, extra_columns, notes)


def parse_csv(path: Path) -> tuple[list[str], list[tuple[int, str, list[str]]]]:
    """The names of the label columns, and (line number, path, labels) of each line that names an image."""
    return parse_csv_text(read_csv_text(path), path)


def read_csv_text(path: Path) -> str:
    """The table as it stands, with the mark of its encoding, where it has one. CaudexError for a file that is not UTF-8."""
    try:
        raw = path.read_bytes()
        check_encoding(raw, path)
        if nul := raw.find(b"\0") + 1:
            check_no_nul(raw, path, raw.count(b"\n", 0, nul) + 1)
        return raw.decode()
    except FileNotFoundError:
        raise CaudexError(f"The table of labels {path} is not there.") from None
    except OSError as error:
        raise CaudexError(f"The table of labels {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise CaudexError(
            f"{path} is not UTF-8 (byte {error.start:,}); {suggest_encoding(raw, error.start)}."
        ) from None


def csv_delimiter(text: str) -> str:
    """The comma, semicolon or tab of which the first line has most."""
    return max(",;\t", key=text.split("\n", 1)[0].count)


def parse_csv_text(text: str, path: Path) -> tuple[list[str], list[tuple[int, str, list[str]]]]:
    """As `parse_csv`, of the text of the table."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=csv_delimiter(text))
    lines = []
    try:
        columns = [name.strip() for name in next(reader, [])]
        num_cells, is_numbered = len(columns), bool(columns) and numbers_rows(columns[0])
        columns = columns[is_numbered:]
        check_names(columns, path)
        path_column = find_column("path", columns, path, NEEDED)
        if len(columns) < 2:
            raise CaudexError(f"{path} has the column `path` alone.{NEEDED}")
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            number, cells = "".join(cells[:is_numbered]), cells[is_numbered:]
            if len(cells) + is_numbered != num_cells or not cells[path_column]:
                raise CaudexError(
                    f"{path}, line {reader.line_num}: {','.join(cells)!r} does not fit the columns {','.join(columns)}."
                )
            if number and not number.isdecimal():
                raise CaudexError(
                    f"{path}, line {reader.line_num}: the first column has no name, and {number!r} is no number of a row; "
                    "name the column, or remove it."
                )
            lines.append((reader.line_num, cells.pop(path_column), cells))
    except csv.Error as error:
        raise CaudexError(f"{path}, line {reader.line_num}: {error}.") from None
    columns.pop(path_column)
    return columns, lines


def _check_main_column(path: Path, main: str, columns: dict[str, tuple[Tensor, tuple[str, ...]]]) -> str:
    """A sentence where the column that is to be predicted has another value in each row; CaudexError where it was taken only
    because it stands first, and another repeats its values."""
    sentence = describe_distinct(main, (columns[main][0] >= 0).sum().item(), len(columns[main][1]))
    others = (name for name, (labels, classes) in columns.items() if 1 < len(classes) < (labels >= 0).sum() / 2)
    if sentence and main.casefold() != "label" and (other := next(others, "")):
        raise CaudexError(
            f"{path}: {sentence}. The first column of labels is the one that is predicted; call the one you mean `label`, or "
            f"put it first, as {other!r}."
        )
    return sentence


def path_reader(csv_path: Path, root: Path) -> Callable[[str], list[bytes]]:
    """A function from a path of the CSV to what it may mean, the likeliest first: relative to root if it is below root, else
    absolute. Bytes that are not UTF-8 may be written as `printable` shows them."""
    prefix = os.fsencode(os.path.join(os.path.abspath(root), ""))
    starts = dict.fromkeys(os.fsencode(os.path.abspath(start)) for start in (root, csv_path.parent))

    def candidate_paths(name: str) -> list[bytes]:
        names = [os.fsencode(name), parse_printable(name)] if "\\x" in name else [os.fsencode(name)]
        absolute = [os.path.normpath(os.path.join(start, name)) for name in names for start in starts]
        return [path.removeprefix(prefix) for path in absolute]

    return candidate_paths


def image_reader(csv_path: Path, root: Path, images: Collection[bytes]) -> Callable[[str], bytes]:
    """A function from a path of the CSV to the image that it means, of `images` where one of them fits: relative to root if it is
    below root, else absolute."""
    candidate_paths = path_reader(csv_path, root)

    def image_of(name: str) -> bytes:
        options = candidate_paths(name)
        return next((path for path in options if path in images), None) or resolve_links(options, root)

    return image_of


def _names_files_in(lines, csv_path: Path, root: Path, folder: str) -> bool:
    start = os.fsencode(os.path.join(folder, ""))
    candidate_paths = path_reader(csv_path, root)
    return any(path.startswith(start) for _, name, _ in lines for path in candidate_paths(name))


def _match_rows(lines, csv_path: Path, root: Path, paths: ImagePaths) -> list[int]:
    """The row of each line's image; files outside root are appended to the paths."""
    candidate_paths = path_reader(csv_path, root)
    candidates = [candidate_paths(name) for _, name, _ in lines]
    row_of = _rows_of({path for options in candidates for path in options}, paths)
    by_link = {
        i: resolve_links(options, root) for i, options in enumerate(candidates) if not row_of.keys() & set(options)
    }
    row_of |= _rows_of(set(by_link.values()), paths)
    rows, missing = [], []
    for i, (line, name, _) in enumerate(lines):
        options = [by_link[i]] if i in by_link else candidates[i]
        path = next((option for option in options if option in row_of), None)
        if path is None:
            if not os.path.isfile(os.path.join(paths.root, options[0])):
                missing.append((name, line))
                continue
            path = options[0]
            row_of[path] = len(paths)
            paths.add([path])
        rows.append(row_of[path])
    if missing:
        name, line = missing[0]
        raise CaudexError(
            f"{csv_path} names files that are not there ({len(missing):,}), the first is {name!r} (line {line:,}); "
            f"paths start at {root} or beside the table."
        )
    return rows


def _rows_of(named: set[bytes], paths: ImagePaths) -> dict[bytes, int]:
    return {path: row for row in range(len(paths)) if named and (path := paths.relative(row)) in named}


def resolve_links(options: list[bytes], root: Path) -> bytes:
    """The file that the first of these paths leads to, relative to root if it is below it; the first itself if none does."""
    start = os.fsencode(root)
    path = next((option for option in options if os.path.isfile(os.path.join(start, option))), None)
    if path is None:
        return options[0]
    target = os.path.realpath(os.path.join(start, path))
    return target.removeprefix(os.path.join(os.path.realpath(start), b""))


def _encode_column(lines, rows: list[int], column: int, count: int, csv_path: Path) -> tuple[Tensor, tuple[str, ...]]:
    """int64 [count] with -1 where the CSV has no label, and the class names."""
    label_of = collect_cells(lines, rows, column, lambda cell: parse_label(cell) or None, csv_path, "Keep one.")
    classes = sorted(set(label_of.values()))
    labels = torch.full((count,), -1, dtype=torch.int64)
    if label_of:
        numbers = {name: number for number, name in enumerate(classes)}
        labels[list(label_of)] = torch.tensor([numbers[label] for label in label_of.values()])
    return labels, tuple(classes)
