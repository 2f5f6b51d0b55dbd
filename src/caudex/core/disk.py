"""Bytes to disk, whole or not at all; tensors without pickle."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from caudex.core.errors import CaudexError, short_message
from caudex.core.root_folder import RootFolder


def write_atomically(file: Path, content: str | bytes) -> None:
    """A reader gets the old file or the new one."""
    RootFolder(file.parent).write(file.name, content.encode() if isinstance(content, str) else content)


def serialize_tensors(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Tensors in the format of safetensors, which wants them contiguous and unshared; `metadata` is in the header."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, metadata)


def parse_tensors(content: bytes, file: Path | str) -> dict[str, Tensor]:
    """The inverse of `serialize_tensors`; raises CaudexError, which names the file, for what is not in that format."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:  # the others: a header that lies
        raise CaudexError(
            f"{file} holds no tensors as caudex wrote them ({short_message(error)}); restore it or train anew."
        ) from None


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def lock_folder(folder: Path, wait: bool = False) -> Iterator[None]:
    """No other process holds this folder meanwhile; the lock ends with this process, however that ends.

    Where another process holds it: CaudexError, or with `wait` a line on standard error and patience. A disk that knows
    no locks has none.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                message = f"another process is at work in {folder}; wait for it, or stop it first."
                raise CaudexError(message) from None
            print(f"another process is at work in {folder}: waiting for it", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except (ImportError, OSError):
            pass
        yield
    finally:
        os.close(handle)


def fsync_folder(folder: Path) -> None:
    """Make renames inside the folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def pack_tensors(value: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Nested state as JSON; its tensors go to `tensors`, by their path."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {"tensor": path}
    if isinstance(value, dict):
        return {"pairs": [[k, pack_tensors(v, tensors, f"{path}/{k!r}")] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return [pack_tensors(v, tensors, f"{path}/{i}") for i, v in enumerate(value)]
    return value


def unpack_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `pack_tensors`."""
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {k: unpack_tensors(v, tensors) for k, v in value["pairs"]}
    if isinstance(value, list):
        return [unpack_tensors(v, tensors) for v in value]
    return value
