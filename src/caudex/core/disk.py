"""Bytes to disk, whole or not at all; tensors without pickle."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from torch import Tensor


def write(file: Path, content: str | bytes) -> None:
    """Write aside, flush to disk, rename: a reader finds the old file or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.aside")
    try:
        with aside.open("wb") as out:
            out.write(content.encode() if isinstance(content, str) else content)
            out.flush()
            os.fsync(out.fileno())
        aside.rename(file)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def safe_bytes(tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> bytes:
    """safetensors wants contiguous tensors that share no memory; `about` stands in the header."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, about)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def pack(value: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Nested state to JSON; tensors are put aside under their path."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {"tensor": path}
    if isinstance(value, dict):
        return {"pairs": [[k, pack(v, tensors, f"{path}/{k!r}")] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return [pack(v, tensors, f"{path}/{i}") for i, v in enumerate(value)]
    return value


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {k: unpack(v, tensors) for k, v in value["pairs"]}
    if isinstance(value, list):
        return [unpack(v, tensors) for v in value]
    return value
