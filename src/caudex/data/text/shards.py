"""Shards of a token stream: what one process works on at once, and how they become one file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from caudex.core.disk import fsync_folder, write_atomically
from caudex.data.text.tokenizers import Tokenizer
from caudex.data.text.utf8 import pieces_of_text

SHARD = 4 << 20
"""characters, about, that a process works on at once, and that are lost if it is killed"""
_AT_ONCE = 1 << 17  # characters that are tokenised at once: the library takes some 300 bytes each

Part = tuple[str, bool]  # a piece, and whether its document ends with it


def name(number: int) -> str:
    return f"shard-{number:06}.npz"


def data_type(tokenizer: Tokenizer) -> type[np.unsignedinteger]:
    return np.uint16 if tokenizer.size <= 1 << 16 else np.uint32


def portions(documents: Iterable[tuple[int, str]]) -> Iterator[list[Part]]:
    """Parts of about `SHARD` characters together."""
    parts, characters = [], 0
    for part in _closed(documents):
        parts.append(part)
        characters += len(part[0])
        if characters >= SHARD:
            yield parts
            parts, characters = [], 0
    if parts:
        yield parts


def _closed(documents: Iterable[tuple[int, str]]) -> Iterator[Part]:
    """A document is seen to have ended when the next one begins."""
    before = None
    for number, piece in documents:
        if before:
            yield before[1], before[0] != number
        before = number, piece
    if before:
        yield before[1], True


def write_shard(tokenizer: Tokenizer, file: Path, parts: list[Part]) -> None:
    """`tokens`, and `ends`: where among them each document ends that does so here."""
    dtype = data_type(tokenizer)
    arrays, ends, length = [np.zeros(0, dtype)], [], 0
    for text, last in parts:
        pieces = [tokenizer.array(each).astype(dtype) for each in pieces_of_text(text, _AT_ONCE)]
        if last:
            pieces.append(np.array([tokenizer.end], dtype))
        arrays += pieces
        length += sum(map(len, pieces))
        ends += [length] * last
    buffer = io.BytesIO()
    np.savez(buffer, tokens=np.concatenate(arrays), ends=np.array(ends, dtype=np.int64))
    write_atomically(file, buffer.getvalue())


def join(folder: Path, count: int, dtype: str) -> tuple[int, np.ndarray]:
    """tokens.bin out of the shards: (number of tokens, int64 [D] where each document ends)."""
    tokens, ends = 0, []
    aside = folder / ".tokens.bin.aside"
    with aside.open("wb") as out:
        for number in range(count):
            with np.load(folder / name(number)) as shard:
                out.write(shard["tokens"].astype(dtype).tobytes())
                ends.append(shard["ends"] + tokens)
                tokens += len(shard["tokens"])
        out.flush()
        os.fsync(out.fileno())
    aside.rename(folder / "tokens.bin")
    fsync_folder(folder)
    return tokens, np.concatenate(ends)
