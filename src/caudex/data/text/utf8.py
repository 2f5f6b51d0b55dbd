"""From bytes to text: invalid UTF-8 is counted, or refused; text is cut into chunks between words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from caudex.core.errors import CaudexError
from caudex.data.encodings import suggest_encoding

CHUNK_SIZE = 1 << 20
"""bytes or characters of a document that are held at once"""
_LOOKBACK = 1 << 16  # bytes before the end of a chunk in which a gap between two words is looked for
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD_GAP = re.compile(r"(?<=\S)[ \t\r\n]")


class UTF8Decoder:
    """`replaced_bytes` counts the bytes of invalid UTF-8, replaced by U+FFFD in the text; `strict` refuses them.
    `advice` says where the first of them are and how to save the file."""

    def __init__(self, strict: bool = False):
        self.strict, self.replaced_bytes, self.advice = strict, 0, ""

    def decode(self, raw: bytes, path: Path, offset: int) -> str:
        """The text of bytes that begin at `offset` of a file."""
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            if self.strict:
                raise CaudexError(
                    f"{path} is not UTF-8 at byte {offset + error.start:,} ({raw[error.start]:#04x}); "
                    "save it as UTF-8, or read it without --strict, which replaces and counts such bytes."
                ) from None
            position = error.start
        self.advice = (
            self.advice or f"the first in {path} at byte {offset + position:,}; {suggest_encoding(raw, position)}"
        )
        self.replaced_bytes += len(raw) - len(raw.decode(errors="ignore").encode())
        return raw.decode(errors="replace")

    def describe(self) -> str:
        """A sentence on the bytes that were replaced; "" where there are none."""
        if not self.replaced_bytes:
            return ""
        where = f", {self.advice}" if self.advice else ""
        what = "1 byte that is not UTF-8 was"
        if self.replaced_bytes > 1:
            what = f"{self.replaced_bytes:,} bytes that are not UTF-8 were"
        return f"{what} replaced by \ufffd{where}"

    def replace_surrogates(self, text: str, location: str) -> str:
        """JSON can spell out half a character (a lone surrogate), which cannot be encoded."""
        try:
            text.encode()
            return text
        except UnicodeEncodeError as error:
            if self.strict:
                raise CaudexError(
                    f"{location} has half a character, \\u{ord(text[error.start]):x}; write the whole, or read it without "
                    "--strict, which replaces and counts such halves."
                ) from None
        replaced, count = _SURROGATE.subn("\ufffd", text)
        self.replaced_bytes += count
        return replaced


def file_chunks(file: BinaryIO, path: Path, decoder: UTF8Decoder) -> Iterator[str]:
    """The text in chunks of at most `CHUNK_SIZE` bytes; line ends become \\n. A file may be one endless line."""
    rest, offset = b"", 0
    while True:
        raw = rest + file.read(CHUNK_SIZE - len(rest))
        cut = _cut_position(raw) if len(raw) == CHUNK_SIZE else len(raw)
        if cut:
            text = decoder.decode(raw[:cut], path, offset)
            yield (text if offset else text.removeprefix("\ufeff")).replace("\r\n", "\n")
        if len(raw) < CHUNK_SIZE:
            return
        rest, offset = raw[cut:], offset + cut


def text_chunks(text: str, max_size: int = CHUNK_SIZE) -> Iterator[str]:
    """A text in memory in chunks of at most `max_size` characters."""
    start = 0
    while len(text) - start > max_size:
        end = start + max_size
        lookback = max(start, end - _LOOKBACK)
        gap = _last_gap(text[lookback:end])
        end = end if gap is None else lookback + gap
        yield text[start:end]
        start = end
    if text:
        yield text[start:]


def _cut_position(raw: bytes) -> int:
    """The end of a full chunk: before the last white space that follows a word, so that tokens are those of the complete
    text; where there is none, before the last character that may be incomplete."""
    start = _character_start(raw, max(0, len(raw) - _LOOKBACK))
    end = raw[start:].decode(errors="surrogateescape")
    gap = _last_gap(end)
    if gap is None:
        return _character_start(raw, len(raw) - 1) or len(raw)
    return start + len(end[:gap].encode(errors="surrogateescape"))


def _last_gap(text: str) -> int | None:
    position = None
    for match in _WORD_GAP.finditer(text):
        position = match.start()
    return position


def _character_start(raw: bytes, position: int) -> int:
    """`position`, or up to three bytes before it: the first byte of a character of UTF-8."""
    for back in range(min(4, position + 1)):
        if raw[position - back] & 0xC0 != 0x80:
            return position - back
    return position  # not UTF-8 anyway
