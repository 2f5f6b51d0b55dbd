"""From bytes to text: invalid UTF-8 is counted, or refused; pieces are cut where no word is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from caudex.core.errors import CaudexError

PIECE = 1 << 20
"""bytes or characters of a document that are held at once"""
_LOOKED_THROUGH = 1 << 16  # bytes before the end of a piece, for a place between two words
_HALF = re.compile("[\ud800-\udfff]")
_GAP = re.compile(r"(?<=\S)[ \t\r\n]")


class Decoder:
    """`replaced` counts the bytes of invalid UTF-8, for which U+FFFD stands in the text; `strict` refuses them."""

    def __init__(self, strict: bool = False):
        self.strict, self.replaced = strict, 0

    def text(self, raw: bytes, path: Path, offset: int) -> str:
        """The text of bytes that begin at `offset` of a file."""
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            if self.strict:
                raise CaudexError(
                    f"{path} is not UTF-8 at byte {offset + error.start:,} ({raw[error.start]:#04x}); "
                    "save it as UTF-8, or read it without --strict, which replaces and counts such bytes."
                ) from None
        self.replaced += len(raw) - len(raw.decode(errors="ignore").encode())
        return raw.decode(errors="replace")

    def mended(self, text: str, where: str) -> str:
        """JSON can spell out half a character, which is none and cannot be encoded."""
        try:
            text.encode()
            return text
        except UnicodeEncodeError as error:
            if self.strict:
                raise CaudexError(
                    f"{where} has half a character, \\u{ord(text[error.start]):x}; write the whole, or read it without "
                    "--strict, which replaces and counts such halves."
                ) from None
        mended, halves = _HALF.subn("\ufffd", text)
        self.replaced += halves
        return mended


def pieces_of_file(file: BinaryIO, path: Path, decoder: Decoder) -> Iterator[str]:
    """The text in pieces of at most `PIECE` bytes; line ends become \\n. A file of one endless line is no worse."""
    rest, offset = b"", 0
    while True:
        raw = rest + file.read(PIECE - len(rest))
        at = _cut(raw) if len(raw) == PIECE else len(raw)
        if at:
            text = decoder.text(raw[:at], path, offset)
            yield (text if offset else text.removeprefix("\ufeff")).replace("\r\n", "\n")
        if len(raw) < PIECE:
            return
        rest, offset = raw[at:], offset + at


def pieces_of_text(text: str, most: int = PIECE) -> Iterator[str]:
    """A text in memory in pieces of at most so many characters."""
    begin = 0
    while len(text) - begin > most:
        end = begin + most
        looked = max(begin, end - _LOOKED_THROUGH)
        gap = _last_gap(text[looked:end])
        end = end if gap is None else looked + gap
        yield text[begin:end]
        begin = end
    if text:
        yield text[begin:]


def _cut(raw: bytes) -> int:
    """Where a full piece ends: before the last white space that follows a word, so that tokens are those of the whole
    text; where there is none, before the last character that may be incomplete."""
    start = _start_of_character(raw, max(0, len(raw) - _LOOKED_THROUGH))
    end = raw[start:].decode(errors="surrogateescape")
    gap = _last_gap(end)
    if gap is None:
        return _start_of_character(raw, len(raw) - 1) or len(raw)
    return start + len(end[:gap].encode(errors="surrogateescape"))


def _last_gap(text: str) -> int | None:
    at = None
    for found in _GAP.finditer(text):
        at = found.start()
    return at


def _start_of_character(raw: bytes, at: int) -> int:
    """`at`, or up to three bytes before it: where no character of UTF-8 goes on."""
    for back in range(min(4, at + 1)):
        if raw[at - back] & 0xC0 != 0x80:
            return at - back
    return at  # not UTF-8 anyway
