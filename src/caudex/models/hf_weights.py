"""The weights of a public folder: safetensors, or on request the tensors of a pickle. No code in them is run."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.public_weights import read_tensors, weight_files


def read_hf_weights(folder: Path, convert: bool = False) -> dict[str, Tensor]:
    """Every tensor of model.safetensors or of the files that its index names; with `convert` of pytorch_model.bin.

    Raises CaudexError for pickled weights without `convert`, and where files hold other things than numbers.
    """
    files, pickled_files = (weight_files(folder, name) for name in ("model.safetensors", "pytorch_model.bin"))
    if not files and not convert and pickled_files:
        raise CaudexError(
            f"{pickled_files[0]} is pickled, and a pickle can hold code; with --convert its tensors alone are read, and nothing in it is run."
        )
    if not files and not pickled_files:
        raise CaudexError(f"{folder} holds no model.safetensors; give the folder of a public language model.")
    weights: dict[str, Tensor] = {}
    for file in files or pickled_files:
        weights |= {rename_gamma_beta(name): tensor for name, tensor in read_tensors(file, bool(files)).items()}
    return weights


def rename_gamma_beta(name: str) -> str:
    """The first BERT checkpoints, which most people fetch, call the weight and bias of LayerNorm gamma and beta."""
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))
