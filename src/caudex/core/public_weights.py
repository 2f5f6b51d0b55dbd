"""Files of weights that a publisher wrote: safetensors, or the tensors of a pickle. No code in them is run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from msgspec import Struct
from torch import Tensor

from caudex.core.errors import CaudexError, short_message
from caudex.core.typed_json import FileName, read_public_json, short_json


class ShardIndex(Struct):
    """model.safetensors.index.json: the file of each tensor."""

    weight_map: dict[str, FileName]


def weight_files(folder: Path, name: str = "model.safetensors") -> list[Path]:
    """As transformers chooses: the file of that name, else those of its index, all of the same folder; [] where there are none."""
    if (folder / name).is_file():
        return [folder / name]
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return []
    names = sorted(set(read_public_json(index, ShardIndex).weight_map.values()))
    for shard in names:
        if "/" in shard or "\0" in shard or not (folder / shard).is_file():
            raise CaudexError(f"{index} names {short_json(shard)}, which is no file beside it; fetch the folder again.")
    return [folder / shard for shard in names]


def read_tensors(file: Path, is_safetensors: bool) -> dict[str, Tensor]:
    """Every tensor of the file, else of a pickle of tensors alone. Raises CaudexError where it holds other things, or less than
    the tensors' sizes say."""
    from safetensors.torch import load_file

    try:
        tensors = load_file(file) if is_safetensors else torch.load(file, "cpu", weights_only=True)
        tensors = {str(name): tensor for name, tensor in tensors.items() if isinstance(tensor, Tensor)}
    except Exception as error:  # torch and safetensors raise nearly every kind
        reason = short_message(error).partition(". ")[0]
        raise CaudexError(f"{file} is damaged, or holds more than tensors ({reason}); fetch it again.") from None
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise CaudexError(
                f"{file}: the tensor {short_json(name)} is larger than what is stored of it; fetch it again."
            )
    return tensors


def files_sha256(files: list[Path]) -> str:
    """SHA-256 of the files one after the other; of one file, what `sha256sum` prints."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                whole.update(part)
    return whole.hexdigest()
