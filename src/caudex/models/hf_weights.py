"""The weights of a public folder: safetensors, or on request the tensors of a pickle. No code in them is run."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from msgspec import Struct
from torch import Tensor

from caudex.core.errors import CaudexError, short_message
from caudex.core.typed_json import read_public_json, short_json
from caudex.models.hf_config import FileName


class ShardIndex(Struct):
    """model.safetensors.index.json: the file of each tensor."""

    weight_map: dict[str, FileName]


def read_hf_weights(folder: Path, convert: bool = False) -> dict[str, Tensor]:
    """Every tensor of model.safetensors or of the files that its index names; with `convert` of pytorch_model.bin.

    Raises CaudexError for pickled weights without `convert`, and where files hold other things than numbers.
    """
    files, pickled_files = (_weight_files(folder, name) for name in ("model.safetensors", "pytorch_model.bin"))
    if not files and not convert and pickled_files:
        raise CaudexError(
            f"{pickled_files[0]} is pickled, and a pickle can hold code; with --convert its tensors alone are read, and nothing in it is run."
        )
    if not files and not pickled_files:
        raise CaudexError(f"{folder} holds no model.safetensors; give the folder of a public GPT-2 or BERT.")
    weights: dict[str, Tensor] = {}
    for file in files or pickled_files:
        weights |= {rename_gamma_beta(name): tensor for name, tensor in _read_tensors(file, bool(files)).items()}
    return weights


def rename_gamma_beta(name: str) -> str:
    """The first BERT checkpoints, which most people fetch, call the weight and bias of LayerNorm gamma and beta."""
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))


def _weight_files(folder: Path, name: str) -> list[Path]:
    """As transformers chooses: the file of that name, else those of its index, all of the same folder."""
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


def _read_tensors(file: Path, is_safetensors: bool) -> dict[str, Tensor]:
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
