"""Building a token stream: shards in parallel, written aside, put together at the end."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from caudex.data.documents import Documents
from caudex.data.pieces import PIECE, pieces_of_text
from caudex.data.progress import Progress
from caudex.data.tokenizers import Tokenizer
from caudex.disk import flush, write
from caudex.errors import CaudexError

FORMAT = 1
SHARD = 4 << 20
"""characters, about, that a process works on at once, and that are lost if it is killed"""
_AT_ONCE = 1 << 17  # characters that are tokenised at once: the library takes some 300 bytes each

Part = tuple[str, bool]  # a piece, and whether its document ends with it


def build(documents: Documents, tokenizer: Tokenizer, folder: Path, workers: int) -> None:
    """See `streams.stream`."""
    if tokenizer.end is None:
        raise CaudexError("the tokenizer has no token that ends a document, such as <|endoftext|> or [SEP].")
    if workers < 1:
        raise CaudexError(f"{workers} processes cannot tokenise; give at least 1.")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        wanted = made_from(documents, tokenizer)
        meta = read_meta(folder)
        if meta is not None and meta["made_from"] == wanted:
            return
        if meta is not None:
            print(f"{folder} was built from other text or with another tokenizer: building it again", file=sys.stderr)
        _start(folder, wanted)
        tokenizer.save(folder)
        count = _write_shards(documents, tokenizer, folder, workers)
        if made_from(documents, tokenizer) != wanted:
            raise CaudexError(f"{documents.root} changed while it was read; leave it as it is and begin again.")
        dtype = "uint16" if tokenizer.size <= 1 << 16 else "uint32"
        tokens, ends = _join(folder, count, dtype)
        write(folder / "starts.npy", _npy(np.append(0, ends[:-1]).astype(np.int64)))
        told = dict(
            tokenizer=tokenizer.fingerprint,
            dtype=dtype,
            tokens=tokens,
            documents=len(ends),
            replaced=documents.replaced,
            skipped=documents.skipped,
            made_from=wanted,
        )
        write(folder / "meta.json", json.dumps({"format": FORMAT} | told, indent=1))
        _clear(folder, "shard-*.npz", "building.json")


def made_from(documents: Documents, tokenizer: Tokenizer) -> dict:
    """All that the bytes of a stream depend on."""
    sources = documents.sources()
    return {
        "tokenizer": tokenizer.fingerprint,
        "column": documents.column,
        "files": len(sources),
        "bytes": sum(size for _, size, _ in sources),
        "names": hashlib.sha256(json.dumps(sources).encode()).hexdigest(),
        "pieces": [PIECE, SHARD],
    }


def read_meta(folder: Path) -> dict | None:
    """None where no stream is finished; CaudexError for one of another format."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        if meta["format"] != FORMAT:
            raise CaudexError(f"{folder} has format {meta['format']}, this caudex reads {FORMAT}; build it again.")
        return meta
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise CaudexError(f"{folder / 'meta.json'} cannot be read; remove the folder and build it again.") from None


# -- shards ---------------------------------------------------------------------------------------------------------


def _start(folder: Path, wanted: dict) -> None:
    """Shards of another build are removed, those of this one stay."""
    plan = folder / "building.json"
    with suppress(OSError, ValueError):
        if json.loads(plan.read_text()) == wanted:
            return
    _clear(folder, "meta.json", "building.json", "shard-*.npz", "tokens.bin", "starts.npy")
    write(plan, json.dumps(wanted))


def _write_shards(documents: Documents, tokenizer: Tokenizer, folder: Path, workers: int) -> int:
    """How many there are."""
    count, running = 0, deque()
    with Progress("tokenising", documents.bytes) as progress, _workers(tokenizer, workers) as submit:
        for parts in _portions(documents):
            file = folder / f"shard-{count:06}.npz"
            count += 1
            characters = sum(len(text) for text, _ in parts)
            if file.exists():
                progress.total -= characters
                continue
            running.append((submit(file, parts), characters))
            while len(running) > workers:  # one waits, so that no process does
                _finish(running, progress)
        while running:
            _finish(running, progress)
    return count


def _finish(running: deque, progress: Progress) -> None:
    done, characters = running.popleft()
    done()
    progress.advance(characters)


def _portions(documents: Iterable[tuple[int, str]]) -> Iterator[list[Part]]:
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
    before = None
    for number, piece in documents:
        if before:
            yield before[1], before[0] != number
        before = number, piece
    if before:
        yield before[1], True


def _shard(tokenizer: Tokenizer, file: Path, parts: list[Part]) -> None:
    dtype = np.uint16 if tokenizer.size <= 1 << 16 else np.uint32
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
    write(file, buffer.getvalue())


def _join(folder: Path, count: int, dtype: str) -> tuple[int, np.ndarray]:
    """tokens.bin out of the shards: (number of tokens, int64 [D] where each document ends)."""
    tokens, ends = 0, []
    aside = folder / ".tokens.bin.aside"
    with aside.open("wb") as out:
        for number in range(count):
            with np.load(folder / f"shard-{number:06}.npz") as shard:
                out.write(shard["tokens"].astype(dtype).tobytes())
                ends.append(shard["ends"] + tokens)
                tokens += len(shard["tokens"])
        out.flush()
        os.fsync(out.fileno())
    aside.rename(folder / "tokens.bin")
    flush(folder)
    return tokens, np.concatenate(ends)


def _clear(folder: Path, *patterns: str) -> None:
    for pattern in patterns:
        for file in folder.glob(pattern):
            file.unlink()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


# -- processes ------------------------------------------------------------------------------------------------------


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"another process builds {folder}: waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _workers(tokenizer: Tokenizer, workers: int) -> Iterator[Callable]:
    """A function that starts the writing of a shard and returns one that waits for its end."""
    if workers == 1:
        yield lambda file, parts: _shard(tokenizer, file, parts) or (lambda: None)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (tokenizer,)) as pool:
        try:
            yield lambda file, parts: pool.submit(_carry_out, file, parts).result
        except BrokenProcessPool:
            raise CaudexError(
                "a process that was tokenising was killed, perhaps for want of memory; begin again with fewer workers, "
                "and what is done stays."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


_own: list[Tokenizer] = []  # of a worker


def _begin(tokenizer: Tokenizer) -> None:
    """A worker hears of Ctrl-C from its parent alone, which lets it finish its shard; and it does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    _own[:] = [tokenizer]


def _carry_out(file: Path, parts: list[Part]) -> None:
    _shard(_own[0], file, parts)
