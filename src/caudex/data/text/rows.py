"""Rows of .jsonl and .csv files, one at a time, however large the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from caudex.core.errors import CaudexError, counted
from caudex.data.encodings import check_encoding, check_no_nul
from caudex.data.headers import find_column
from caudex.data.text.utf8 import UTF8Decoder

TABLE_SUFFIXES = (".jsonl", ".csv")
MAX_ROW_BYTES = 200_000_000
"""bytes; a row is held in memory, so that longer ones belong into a .txt file of their own"""


def read_rows(path: Path, columns: list[str], decoder: UTF8Decoder) -> Iterator[tuple[int, list[str]]]:
    """(line, the row's values of `columns` as text, '' where there is none) of each row.

    Raises CaudexError for a column that is not there, a row that is no row, or one that is too long; OSError for a
    file that cannot be read.
    """
    with path.open("rb") as file:
        check_encoding(file.read(4), path)
        file.seek(0)
        yield from (_read_jsonl if path.suffix.lower() == ".jsonl" else _read_csv)(path, file, columns, decoder)


def table_columns(path: Path) -> list[str]:
    """The columns of a table; of a .jsonl those of its first row. [] where there are none."""
    with path.open("rb") as file:
        check_encoding(file.read(4), path)
        file.seek(0)
        first = next((text for _, text in _read_lines(path, file, UTF8Decoder()) if text.strip()), "")
    if path.suffix.lower() != ".jsonl":
        return _parse_header(path, first)[0]
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return []
    return list(row) if isinstance(row, dict) else []


def _read_jsonl(
    path: Path, file: BinaryIO, columns: list[str], decoder: UTF8Decoder
) -> Iterator[tuple[int, list[str]]]:
    keys: list[str] = []
    for line, text in _read_lines(path, file, decoder):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise CaudexError(f"{path}, line {line:,}: {text[:40]!r} is not JSON; each line must be one row.") from None
        if not isinstance(row, dict):
            raise CaudexError(f'{path}, line {line:,}: {text[:40]!r} is no row; give {{"text": "..."}} on each line.')
        if not keys:  # a later row may lack what the first one has
            keys = [list(row)[find_column(column, list(row), path)] for column in columns]
        yield line, [_cell_text(path, line, key, row.get(key), decoder) for key in keys]


def _cell_text(path: Path, line: int, column: str, value: object, decoder: UTF8Decoder) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        kind = "a list" if isinstance(value, list) else "a table"
        raise CaudexError(f"{path}, line {line:,}: the column {column!r} holds {kind}, not a text; name another.")
    return decoder.replace_surrogates(value, f"{path}, line {line:,}") if isinstance(value, str) else str(value)


def _read_csv(path: Path, file: BinaryIO, columns: list[str], decoder: UTF8Decoder) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(
        max(csv.field_size_limit(), MAX_ROW_BYTES)
    )  # Python's own is 131,072, less than many a document
    lines = (text for _, text in _read_lines(path, file, decoder))
    header, delimiter = _parse_header(path, next(lines, ""))
    indices = [find_column(column, header, path) for column in columns]
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise CaudexError(
                    f"{path}, line {reader.line_num + 1:,} has {counted(len(cells), 'value')}, but the header has "
                    f"{len(header)}; put texts with a {delimiter!r} in them in quotation marks."
                )
            yield reader.line_num + 1, [cells[i] for i in indices]
    except csv.Error as error:
        raise CaudexError(f"{path}, line {reader.line_num + 1:,}: {error}.") from None


def _parse_header(path: Path, first: str) -> tuple[list[str], str]:
    """(names, delimiter) of the first line of a .csv or .tsv."""
    if "\r" in first.rstrip("\r\n"):
        raise CaudexError(
            f"{path} has lines that end in \\r, as old Macs wrote them; save it with lines that end in \\n."
        )
    delimiter = max(",;\t", key=first.count)
    return [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])], delimiter


def _read_lines(path: Path, file: BinaryIO, decoder: UTF8Decoder) -> Iterator[tuple[int, str]]:
    """(number, text) of each line."""
    offset = number = 0
    while raw := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(raw) > MAX_ROW_BYTES:
            raise CaudexError(
                f"{path}, line {number:,} is longer than {MAX_ROW_BYTES // 1_000_000} MB; "
                "put a document of that length into a .txt file of its own."
            )
        check_no_nul(raw, path, number)
        text = decoder.decode(raw, path, offset)
        offset += len(raw)
        yield number, text.removeprefix("\ufeff") if number == 1 else text
