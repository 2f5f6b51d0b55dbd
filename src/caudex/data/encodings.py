"""Files of text that are not UTF-8: which encoding it may be, and the way out."""

from __future__ import annotations

import codecs
from pathlib import Path

from caudex.core.errors import CaudexError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def marked_encoding(start: bytes) -> str:
    """UTF-16 or UTF-32, where the first bytes of a file say so; else ''."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if start.startswith(mark)), "")


def check_encoding(start: bytes, path: Path) -> None:
    """Raises CaudexError for a file whose first bytes say that it is UTF-16 or UTF-32."""
    if encoding := marked_encoding(start):
        raise CaudexError(f"{path} is {encoding}; save it as UTF-8: iconv -f {encoding} -t UTF-8.")


def check_no_nul(raw: bytes, path: Path, line: int) -> None:
    """Raises CaudexError for a line of a table that has NUL bytes, as UTF-16 without its mark has."""
    if b"\0" in raw:
        raise CaudexError(f"{path}, line {line:,} has a NUL byte: it is no text, or not UTF-8; save it as UTF-8.")


def suggest_encoding(raw: bytes, position: int) -> str:
    """What the bytes around `position`, which are not UTF-8, read in the encoding of Windows or in Latin-1; and the way out."""
    start = max(raw.rfind(b"\n", 0, position) + 1, position - 12)
    line = raw[start : position + 12].split(b"\n")[0]
    try:
        encoding, text = "cp1252", line.decode("cp1252")
    except UnicodeDecodeError:
        encoding, text = "latin-1", line.decode("latin-1")
    return f"in {encoding} it reads {text.strip()!r}; save it as UTF-8, as by iconv -f {encoding} -t UTF-8"
