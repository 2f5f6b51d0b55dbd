"""Fully connected trunks, and the trunk that does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import linear_flops


class Identity(Trunk):
    """The observation is the feature vector: whole networks stand as heads (state-based SAC)."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, x: Tensor, state: Any = None) -> Features:
        return Features(x)

    def flops(self, shape: tuple[int, ...]) -> float:
        return 0.0


class MLP(Trunk):
    """Linear layers with ReLU and dropout; flattens its input."""

    def __init__(self, inputs: int, hidden: Sequence[int] = (128, 128), dropout: float = 0.0):
        super().__init__()
        sizes = [inputs, *hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.dropout = nn.Dropout(dropout)
        self.width = sizes[-1]

    def forward(self, x: Tensor, state: Any = None) -> Features:
        x, layers = x.flatten(1), {}
        for i, layer in enumerate(self.layers):
            x = layers[f"layer{i + 1}"] = self.dropout(layer(x).relu())
        return Features(x, layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        return sum(linear_flops(layer.in_features, layer.out_features) for layer in self.layers)
