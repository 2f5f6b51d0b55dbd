"""Building a token stream: in parallel, and going on where it was killed."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np

from caudex.core.disk import lock_folder, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.pool import worker_processes
from caudex.core.progress import ProgressBar
from caudex.data.text import shards
from caudex.data.text.documents import Documents
from caudex.data.text.tokenizers import Tokenizer
from caudex.data.text.utf8 import CHUNK_SIZE

STREAM_FORMAT = 1


def build_stream(documents: Documents, tokenizer: Tokenizer, folder: Path, workers: int) -> None:
    """See `token_stream.open_token_stream`."""
    if tokenizer.eos_token_id is None:
        raise CaudexError("the tokenizer has no token that ends a document, such as <|endoftext|> or [SEP].")
    if workers < 1:
        raise CaudexError(f"{workers} processes cannot tokenise; give at least 1.")
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder, wait=True):
        fingerprint = source_fingerprint(documents, tokenizer)
        meta = read_meta(folder)
        if meta is not None:
            unchanged = meta.get("source_fingerprint") == fingerprint
            if unchanged and not (documents.strict and meta["replaced_bytes"]):
                return
            print(f"{folder} was built from other text or with another tokenizer: building it again", file=sys.stderr)
        _prepare_folder(folder, fingerprint)
        tokenizer.save(folder)
        count = _write_shards(documents, tokenizer, folder, workers)
        if source_fingerprint(documents, tokenizer) != fingerprint:
            raise CaudexError(f"{documents.root} changed while it was read; leave it as it is and begin again.")
        dtype = np.dtype(shards.token_dtype(tokenizer)).name
        tokens, ends = shards.join_shards(folder, count, dtype)
        write_atomically(folder / "starts.npy", _npy_bytes(np.append(0, ends[:-1]).astype(np.int64)))
        meta = {
            "format": STREAM_FORMAT,
            "tokenizer": tokenizer.fingerprint,
            "dtype": dtype,
            "tokens": tokens,
            "documents": len(ends),
            "replaced_bytes": documents.replaced_bytes,
            "skipped": documents.skipped,
            "source_fingerprint": fingerprint,
        }
        write_atomically(folder / "meta.json", json.dumps(meta, indent=1))
        _remove_files(folder, "shard-*.npz", "building.json")


def source_fingerprint(documents: Documents, tokenizer: Tokenizer) -> dict:
    """Everything that the bytes of a stream depend on."""
    file_stats = documents.file_stats()
    return {
        "tokenizer": tokenizer.fingerprint,
        "column": documents.column,
        "files": len(file_stats),
        "bytes": sum(size for _, size, _ in file_stats),
        "file_stats_sha256": hashlib.sha256(json.dumps(file_stats).encode()).hexdigest(),
        "chunk_size": CHUNK_SIZE,
    }


def read_meta(folder: Path) -> dict | None:
    """None where no stream is finished; CaudexError for one of another format."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        if meta["format"] != STREAM_FORMAT:
            raise CaudexError(
                f"{folder} has format {meta['format']}, this caudex reads {STREAM_FORMAT}; build it again."
            )
        return meta
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise CaudexError(f"{folder / 'meta.json'} cannot be read; remove the folder and build it again.") from None


def _prepare_folder(folder: Path, fingerprint: dict) -> None:
    """Shards of another build are removed, those of this one stay."""
    file, plan = folder / "building.json", fingerprint | {"shard_size": shards.SHARD_SIZE}
    with suppress(OSError, ValueError):
        if json.loads(file.read_text()) == plan:
            return
    _remove_files(folder, "meta.json", "building.json", "shard-*.npz", "tokens.bin", "starts.npy")
    write_atomically(file, json.dumps(plan))


def _write_shards(documents: Documents, tokenizer: Tokenizer, folder: Path, workers: int) -> int:
    """How many there are."""
    count, pending = 0, deque()
    with ProgressBar("tokenising", documents.num_bytes) as progress, _shard_writer(tokenizer, workers) as submit:
        for chunks in shards.group_into_shards(documents):
            file = folder / shards.shard_name(count)
            count += 1
            characters = sum(len(text) for text, _ in chunks)
            if file.exists():
                progress.total -= characters
                continue
            pending.append((submit(file, chunks), characters))
            while len(pending) > workers:  # one waits, so that no process does
                _await_shard(pending, progress)
        while pending:
            _await_shard(pending, progress)
    return count


def _await_shard(pending: deque, progress: ProgressBar) -> None:
    wait, characters = pending.popleft()
    wait()
    progress.advance(characters)


def _remove_files(folder: Path, *patterns: str) -> None:
    for pattern in patterns:
        for file in folder.glob(pattern):
            file.unlink()


def _npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


# -- processes ------------------------------------------------------------------------------------------------------


@contextmanager
def _shard_writer(tokenizer: Tokenizer, workers: int) -> Iterator[Callable]:
    """A function that starts the writing of a shard and returns one that waits for its end (or does all the work)."""
    if workers == 1:
        yield lambda file, chunks: partial(shards.write_shard, tokenizer, file, chunks)
        return
    advice = "begin again with fewer workers, and what is done stays"
    pool = worker_processes(workers, "tokenising", advice, signal.SIGKILL, _set_tokenizer, (tokenizer,))
    with pool as submit:  # a shard that is cut off is written again the next time
        yield lambda file, chunks: submit(_write_shard, file, chunks).result


_worker_tokenizer: list[Tokenizer] = []


def _set_tokenizer(tokenizer: Tokenizer) -> None:
    _worker_tokenizer[:] = [tokenizer]


def _write_shard(file: Path, chunks: list[shards.Chunk]) -> None:
    shards.write_shard(_worker_tokenizer[0], file, chunks)
