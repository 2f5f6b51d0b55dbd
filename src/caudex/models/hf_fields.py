"""The limits of fields of a public config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct
from torch import Tensor

GELU_APPROXIMATIONS = {
    "gelu": "none", "gelu_python": "none", "gelu_new": "tanh", "gelu_fast": "tanh", "gelu_accurate": "tanh",
    "gelu_pytorch_tanh": "tanh", "gelu_python_tanh": "tanh",
}  # fmt: skip
"""of each activation of transformers that we have, how GELU is computed"""

Activation = Literal[*GELU_APPROXIMATIONS]
Vocabulary = Annotated[int, Meta(ge=1, le=1 << 26)]
Context = Annotated[int, Meta(ge=8, le=1 << 24)]
Width = Annotated[int, Meta(ge=8, le=100_000)]
NumLayers = Annotated[int, Meta(ge=1, le=1000)]
Hidden = Annotated[int, Meta(ge=1, le=1 << 24)]
HeadDim = Annotated[int, Meta(ge=2, le=1 << 16)]
NumHeads = Annotated[int, Meta(ge=1, le=100_000)]
Epsilon = Annotated[float, Meta(gt=0, le=1)]
TokenIds = int | tuple[int, ...] | None


class PublicFields(Struct, kw_only=True):
    """What all kinds of config.json have."""

    def query_scale(self, layer: int) -> float:
        """What queries are multiplied with, besides the square root of a head's width that their products are divided by."""
        return 1.0

    def translate(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors by the names of `model_type`, where they are the same function under other ones."""
        return weights
