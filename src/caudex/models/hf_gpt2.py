"""config.json of a GPT-2, and of GPT-Neo, which is one with another layout of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from caudex.models.hf_fields import (
    GELU_APPROXIMATIONS,
    Activation,
    Context,
    Epsilon,
    Hidden,
    NumHeads,
    NumLayers,
    PublicFields,
    TokenIds,
    Vocabulary,
    Width,
)
from caudex.trunks import GPT2_LAYOUT


class GPT2Config(PublicFields, kw_only=True):
    """What a GPT-2 computes; the defaults are those of transformers."""

    vocab_size: Vocabulary
    n_positions: Context
    n_embd: Width
    n_layer: NumLayers
    n_head: NumHeads
    n_inner: Hidden | None = None
    activation_function: Activation = "gelu_new"
    layer_norm_epsilon: Epsilon = 1e-5
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    tie_word_embeddings: bool = True
    eos_token_id: TokenIds = None

    model_type: ClassVar[str] = "gpt2"

    def trunk(self) -> dict[str, Any]:
        """The arguments of our `Transformer`."""
        sizes = (self.vocab_size, self.n_positions, self.n_embd, self.n_layer, self.n_head)
        arguments = dict(zip(("vocabulary", "context", "width", "depth", "heads"), sizes))
        arguments |= {"hidden": self.n_inner or 4 * self.n_embd, "eps": self.layer_norm_epsilon}
        return GPT2_LAYOUT | arguments | {"gelu_approximate": GELU_APPROXIMATIONS[self.activation_function]}

    def query_scale(self, layer: int) -> float:
        """What queries are multiplied with where their products with keys are not divided by the square root of a head's
        width, or by the number of the layer too."""
        scale = 1.0 if self.scale_attn_weights else (self.n_embd / self.n_head) ** 0.5
        return scale / (layer + 1) if self.scale_attn_by_inverse_layer_idx else scale

    def sizes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the tensors that fix all sizes of the model."""
        return {
            "wte.weight": (self.vocab_size, self.n_embd),
            "wpe.weight": (self.n_positions, self.n_embd),
            f"h.{self.n_layer - 1}.mlp.c_fc.weight": (self.n_embd, self.n_inner or 4 * self.n_embd),
        }


_NEO_NAMES = {
    "n_positions": "max_position_embeddings",
    "n_embd": "hidden_size",
    "n_layer": "num_layers",
    "n_head": "num_heads",
    "n_inner": "intermediate_size",
}
"""a class renames the fields that it declares itself"""


class GPTNeoConfig(GPT2Config, kw_only=True, rename=_NEO_NAMES):
    """A GPT-2 whose products are not divided. Every other layer sees a window; within it that is attention to all, so that
    the context ends with it."""

    n_positions: Context
    n_embd: Width
    n_layer: NumLayers
    n_head: NumHeads
    n_inner: Hidden | None = None
    window_size: Context = 256
    attention_types: list[tuple[list[Literal["global", "local"]], int]] | None = None

    def trunk(self) -> dict[str, Any]:
        return super().trunk() | {"context": self.window}

    @property
    def window(self) -> int:
        is_global = self.attention_types is not None and all("local" not in kinds for kinds, _ in self.attention_types)
        return self.n_positions if is_global else min(self.n_positions, self.window_size)

    def query_scale(self, layer: int) -> float:
        return (self.n_embd / self.n_head) ** 0.5

    def sizes(self) -> dict[str, tuple[int, ...]]:
        return super().sizes() | {"wpe.weight": (self.window, self.n_embd)}

    def translate(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """GPT-2 keeps its matrices transposed, and those of queries, keys and values in one."""
        translated: dict[str, Tensor] = {}
        for name, tensor in weights.items():
            name = name.removeprefix("transformer.").replace("attn.attention.out_proj", "attn.c_proj")
            if re.fullmatch(r"h\.\d+\.attn\.attention\.(masked_)?bias", name):
                continue
            is_matrix = re.search(r"(c_fc|c_proj|[qkv]_proj)\.weight$", name) and tensor.ndim == 2
            translated[name] = tensor.T if is_matrix else tensor
        if (places := translated.get("wpe.weight")) is not None and places.ndim == 2:
            translated["wpe.weight"] = places[: self.window]
        for layer in range(self.n_layer):
            parts = [f"h.{layer}.attn.attention.{part}_proj.weight" for part in "qkv"]
            shapes = {translated[part].shape for part in parts if part in translated}
            if shapes == {(self.n_embd, self.n_embd)} and all(part in translated for part in parts):
                translated[f"h.{layer}.attn.c_attn.weight"] = torch.cat([translated.pop(part) for part in parts], 1)
                translated[f"h.{layer}.attn.c_attn.bias"] = torch.zeros(3 * self.n_embd)
        return translated
