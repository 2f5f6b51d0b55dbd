"""Shards of a token stream: what one process tokenises at once, and how they become one file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from caudex.core.disk import fsync_folder, write_atomically
from caudex.data.text.tokenizers import Tokenizer
from caudex.data.text.utf8 import text_chunks

SHARD_SIZE = 4 << 20
"""characters, about, that a process works on at once, and that are lost if it is killed"""
_TOKENIZE_SIZE = 1 << 17  # characters that are tokenised at once: the library takes some 300 bytes each

Chunk = tuple[str, bool]  # text, and whether its document ends with it


def shard_name(number: int) -> str:
    return f"shard-{number:06}.npz"


def token_dtype(tokenizer: Tokenizer) -> type[np.unsignedinteger]:
    return np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32


def group_into_shards(documents: Iterable[tuple[int, str]]) -> Iterator[list[Chunk]]:
    """Chunks of about `SHARD_SIZE` characters together."""
    chunks, characters = [], 0
    for chunk in _mark_document_ends(documents):
        chunks.append(chunk)
        characters += len(chunk[0])
        if characters >= SHARD_SIZE:
            yield chunks
            chunks, characters = [], 0
    if chunks:
        yield chunks


def _mark_document_ends(documents: Iterable[tuple[int, str]]) -> Iterator[Chunk]:
    """A document has ended when the next one begins."""
    previous = None
    for number, text in documents:
        if previous:
            yield previous[1], previous[0] != number
        previous = number, text
    if previous:
        yield previous[1], True


def write_shard(tokenizer: Tokenizer, file: Path, chunks: list[Chunk]) -> None:
    """`tokens`, and `ends`: where among them each document ends that does so in this shard."""
    dtype = token_dtype(tokenizer)
    arrays, ends, length = [np.zeros(0, dtype)], [], 0
    for text, is_last in chunks:
        encode_texts = [tokenizer.encode_array(part).astype(dtype) for part in text_chunks(text, _TOKENIZE_SIZE)]
        if is_last:
            encode_texts.append(np.array([tokenizer.eos_token_id], dtype))
        arrays += encode_texts
        length += sum(map(len, encode_texts))
        ends += [length] * is_last
    buffer = io.BytesIO()
    np.savez(buffer, tokens=np.concatenate(arrays), ends=np.array(ends, dtype=np.int64))
    write_atomically(file, buffer.getvalue())


def join_shards(folder: Path, count: int, dtype: str) -> tuple[int, np.ndarray]:
    """tokens.bin out of the shards: (number of tokens, int64 [D] where each document ends)."""
    tokens, ends = 0, []
    temporary = folder / ".tokens.bin.tmp"
    with temporary.open("wb") as file:
        for number in range(count):
            with np.load(folder / shard_name(number)) as shard:
                file.write(shard["tokens"].astype(dtype).tobytes())
                ends.append(shard["ends"] + tokens)
                tokens += len(shard["tokens"])
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / "tokens.bin")
    fsync_folder(folder)
    return tokens, np.concatenate(ends)
