"""Headers of tables: which column is meant, and which only numbers the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean


def find_column(name: str, header: Sequence[str], path: Path, advice: str = "") -> int:
    """The place of a column; the case of its letters counts only where several differ in nothing else.

    Raises CaudexError, which ends in the `advice`, where there is none, and where it stands there twice.
    """
    places = [place for place, column in enumerate(header) if column == name]
    places = places or [place for place, column in enumerate(header) if column.casefold() == name.casefold()]
    if not any(header):
        raise CaudexError(f"{path} is empty, or its first line is; give a table whose first line names its columns.")
    if not places:
        raise CaudexError(
            f"{path} has no column {name!r}.{did_you_mean(name, header)} It has: {', '.join(header)}.{advice}"
        )
    if len(places) > 1:
        names = " and ".join(dict.fromkeys(repr(header[place]) for place in places))
        raise CaudexError(f"{path} has {len(places)} columns {names}; rename or remove all but one.")
    return places[0]


def numbers_rows(name: str) -> bool:
    """Whether a first column of this name is the index that pandas writes: without a name, or read and written again."""
    return not name or re.fullmatch(r"Unnamed: \d+(\.\d+)?", name) is not None


def check_names(header: Sequence[str], path: Path) -> None:
    """Raises CaudexError for columns of a table of labels that have no name, or the same."""
    for place, name in enumerate(header):
        if not name:
            raise CaudexError(f"{path}: column {place + 1} has no name; give it one, or remove it.")
        find_column(name, header, path)
