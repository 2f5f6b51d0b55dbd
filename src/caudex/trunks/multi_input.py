"""MultiInput: a trunk for observations of several kinds, as images with vectors, and for masks of actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.specs import ObservationLayout, mask_size
from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import linear_flops
from caudex.trunks.mlp import Identity
from caudex.trunks.nature import LARGE_FRAME, NatureCNN
from caudex.trunks.normalised import ImageNormaliser, ObservationNormaliser


class MultiInput(Trunk):
    """Rows of bytes uint8 [B, D] that hold the parts of `layout`, to `pooled` [B, width + K]: convolutions for each image, `layers`
    where it is large (see `NatureCNN`), beside the vector; then a linear map of all with ReLU where there are images, with
    `width` 0 none. With `normalise` the vector and small images are standardised. The K numbers of a mask stand last, as they
    are: `mask_size` of them.
    """

    def __init__(
        self,
        layout: ObservationLayout,
        width: int = 512,
        layers: Sequence[tuple[int, int, int]] | None = None,
        normalise: bool = True,
    ):
        super().__init__()
        self.layout, self.mask_size = layout, mask_size(layout)
        vector_size = sum(part.shape[0] for part in layout if part.kind == "vector")
        identity = Identity(vector_size)
        self.vector = ObservationNormaliser(identity, vector_size) if normalise and vector_size else identity
        images = [part.shape for part in layout if part.kind == "image"]
        self.encoders = nn.ModuleList()
        for shape in images:
            is_large = min(shape[1:]) >= LARGE_FRAME
            encoder = NatureCNN(shape, 0, layers if is_large else None)
            self.encoders.append(ImageNormaliser(encoder, shape[0]) if normalise and not is_large else encoder)
        joined = vector_size + sum(encoder.width for encoder in self.encoders)
        self.linear = nn.Linear(joined, width) if width and images else None
        if self.linear:
            nn.init.orthogonal_(self.linear.weight, 2**0.5)
            nn.init.zeros_(self.linear.bias)
        self.width = (width if self.linear else joined) + self.mask_size

    def forward(self, x: Tensor, state: Any = None) -> Features:
        return self.encode(self.split(x))

    def split(self, rows: Tensor) -> list[Tensor]:
        """The parts: float32 [B, W], uint8 [B, C, H, W], uint8 [B, K]."""
        parts = rows.split([part.nbytes for part in self.layout], 1)
        return [
            part.clone(memory_format=torch.contiguous_format).view(
                torch.float32
            )  # bytes may lie where numbers must not
            if kind.kind == "vector"
            else part.reshape(-1, *kind.shape)
            for kind, part in zip(self.layout, parts)
        ]

    def encode(self, parts: Sequence[Tensor]) -> Features:
        """Features of the parts."""
        encoders, pooled, layers = iter(self.encoders), [], {}
        for i, (kind, part) in enumerate(zip(self.layout, parts)):
            if kind.kind == "vector":
                pooled.append(self.vector(part).pooled)
            elif kind.kind == "image":
                encoded = next(encoders)(part)
                layers |= {f"part{i}.{name}": layer for name, layer in encoded.layers.items()}
                pooled.append(encoded.pooled)
        joined = torch.cat(pooled, 1) if pooled else parts[-1].new_zeros(len(parts[-1]), 0, dtype=torch.float32)
        if self.linear:
            joined = self.linear(joined).relu()
        return Features(torch.cat([joined, parts[-1].to(joined.dtype)], 1) if self.mask_size else joined, layers)

    def update_statistics(self, observations: Tensor) -> None:
        """Of the vector and of small images, by rows of bytes."""
        parts = self.split(observations)
        for module, part in zip([self.vector] * (self.layout[0].kind == "vector") + [*self.encoders], parts):
            if isinstance(module, ObservationNormaliser):
                module.update_statistics(part)

    def flops(self, shape: tuple[int, ...]) -> float:
        images = [part.shape for part in self.layout if part.kind == "image"]
        total = sum(encoder.flops(image) for encoder, image in zip(self.encoders, images))
        return total + (linear_flops(self.linear.in_features, self.linear.out_features) if self.linear else 0.0)
