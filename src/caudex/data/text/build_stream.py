"""Building a token stream: in parallel, and going on where it was killed."""

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
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError
from caudex.core.progress import ProgressBar
from caudex.data.text import shards
from caudex.data.text.documents import Documents
from caudex.data.text.tokenizers import Tokenizer
from caudex.data.text.utf8 import PIECE

FORMAT = 1


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
        if meta is not None:
            if meta["made_from"] == wanted and not (documents.strict and meta["replaced"]):
                return
            print(f"{folder} was built from other text or with another tokenizer: building it again", file=sys.stderr)
        _start(folder, wanted)
        tokenizer.save(folder)
        count = _write_shards(documents, tokenizer, folder, workers)
        if made_from(documents, tokenizer) != wanted:
            raise CaudexError(f"{documents.root} changed while it was read; leave it as it is and begin again.")
        dtype = np.dtype(shards.data_type(tokenizer)).name
        tokens, ends = shards.join(folder, count, dtype)
        write_atomically(folder / "starts.npy", _npy(np.append(0, ends[:-1]).astype(np.int64)))
        told = {
            "tokenizer": tokenizer.fingerprint,
            "dtype": dtype,
            "tokens": tokens,
            "documents": len(ends),
            "replaced": documents.replaced,
            "skipped": documents.skipped,
            "made_from": wanted,
        }
        write_atomically(folder / "meta.json", json.dumps({"format": FORMAT} | told, indent=1))
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
        "piece": PIECE,
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


def _start(folder: Path, wanted: dict) -> None:
    """Shards of another build are removed, those of this one stay."""
    plan, wanted = folder / "building.json", wanted | {"shard": shards.SHARD}
    with suppress(OSError, ValueError):
        if json.loads(plan.read_text()) == wanted:
            return
    _clear(folder, "meta.json", "building.json", "shard-*.npz", "tokens.bin", "starts.npy")
    write_atomically(plan, json.dumps(wanted))


def _write_shards(documents: Documents, tokenizer: Tokenizer, folder: Path, workers: int) -> int:
    """How many there are."""
    count, running = 0, deque()
    with ProgressBar("tokenising", documents.bytes) as progress, _workers(tokenizer, workers) as submit:
        for parts in shards.portions(documents):
            file = folder / shards.name(count)
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


def _finish(running: deque, progress: ProgressBar) -> None:
    done, characters = running.popleft()
    done()
    progress.advance(characters)


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
    """A function that starts the writing of a shard and returns one that waits for its end (or does all the work)."""
    if workers == 1:
        yield lambda file, parts: partial(shards.write_shard, tokenizer, file, parts)
        return
    context, others = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    with ProcessPoolExecutor(workers, context, _begin, (tokenizer,)) as pool:
        try:
            yield lambda file, parts: pool.submit(_carry_out, file, parts).result
        except BrokenProcessPool:
            raise CaudexError(
                "a process that was tokenising was killed, perhaps for want of memory; begin again with fewer workers, "
                "and what is done stays."
            ) from None
        except BaseException:  # what they are at is done again the next time
            for worker in multiprocessing.active_children():
                if worker not in others:
                    worker.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


_own: list[Tokenizer] = []  # of a worker


def _begin(tokenizer: Tokenizer) -> None:
    """A worker hears of Ctrl-C from its parent alone, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    _own[:] = [tokenizer]


def _carry_out(file: Path, parts: list[shards.Part]) -> None:
    shards.write_shard(_own[0], file, parts)
