"""Rows of .jsonl and .csv files, one at a time, however large the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.data.text.utf8 import Decoder

TABLES = (".jsonl", ".csv")
LONGEST = 200_000_000
"""bytes; a row is held in memory, so that longer ones belong into a .txt file of their own"""


def rows(path: Path, columns: list[str], decoder: Decoder) -> Iterator[tuple[int, list[str]]]:
    """(line, the row's values of `columns` as text, '' where there is none) of each row.

    Raises CaudexError for a column that is not there, a row that is no row, or one that is too long; OSError for a
    file that cannot be read.
    """
    with path.open("rb") as file:
        yield from (_jsonl if path.suffix.lower() == ".jsonl" else _csv)(path, file, columns, decoder)


def _jsonl(path: Path, file: BinaryIO, columns: list[str], decoder: Decoder) -> Iterator[tuple[int, list[str]]]:
    known: set[str] = set()
    for line, text in _lines(path, file, decoder):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise CaudexError(f"{path}, line {line:,}: {text[:40]!r} is not JSON; each line must be one row.") from None
        if not isinstance(row, dict):
            raise CaudexError(f'{path}, line {line:,}: {text[:40]!r} is no row; give {{"text": "..."}} on each line.')
        if not known:  # a later row may lack what the first one has
            known = set(row)
            _must_have(path, columns, list(row))
        yield line, [_text(path, line, column, row.get(column), decoder) for column in columns]


def _text(path: Path, line: int, column: str, value: object, decoder: Decoder) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        kind = "a list" if isinstance(value, list) else "a table"
        raise CaudexError(f"{path}, line {line:,}: the column {column!r} holds {kind}, not a text; name another.")
    return decoder.mended(value, f"{path}, line {line:,}") if isinstance(value, str) else str(value)


def _csv(path: Path, file: BinaryIO, columns: list[str], decoder: Decoder) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))  # Python's own is 131,072, less than many a document
    lines = (text for _, text in _lines(path, file, decoder))
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    _must_have(path, columns, header)
    places = [header.index(column) for column in columns]
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise CaudexError(
                    f"{path}, line {reader.line_num + 1:,} has {len(cells)} values, but the header has "
                    f"{len(header)}; put texts with a {delimiter!r} in them in quotation marks."
                )
            yield reader.line_num + 1, [cells[place] for place in places]
    except csv.Error as error:
        raise CaudexError(f"{path}, line {reader.line_num + 1:,}: {error}.") from None


def _lines(path: Path, file: BinaryIO, decoder: Decoder) -> Iterator[tuple[int, str]]:
    """(number, text) of each line."""
    offset = number = 0
    while raw := file.readline(LONGEST + 1):
        number += 1
        if len(raw) > LONGEST:
            raise CaudexError(
                f"{path}, line {number:,} is longer than {LONGEST // 1_000_000} MB; "
                "put a document of that length into a .txt file of its own."
            )
        text = decoder.text(raw, path, offset)
        offset += len(raw)
        yield number, text.removeprefix("\ufeff") if number == 1 else text


def _must_have(path: Path, columns: list[str], known: list[str]) -> None:
    for column in columns:
        if column not in known:
            raise CaudexError(
                f"{path} has no column {column!r}.{did_you_mean(column, known)} It has: {', '.join(known) or 'none'}."
            )
