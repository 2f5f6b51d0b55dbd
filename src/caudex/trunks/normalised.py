"""Vectors and small images standardised by the running mean and variance of the observations so far."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk


class ObservationNormaliser(Trunk):
    """Vectors [B, W] to zero mean and unit standard deviation, clipped to `max_abs`, then `trunk`. The statistics change only by
    `update_statistics`; they are saved with the weights."""

    def __init__(self, trunk: nn.Module, inputs: int, max_abs: float = 10.0):
        super().__init__()
        self.trunk, self.max_abs, self.width = trunk, max_abs, trunk.width
        self.register_buffer("count", torch.tensor(1e-4, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(inputs, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(inputs, dtype=torch.float64))
        self.register_buffer("shift", torch.zeros(inputs))
        self.register_buffer("factor", torch.ones(inputs))

    @torch.no_grad()
    def update_statistics(self, observations: Tensor) -> None:
        """[N, W]; the statistics of two parts combine into those of both (Chan et al. 1979)."""
        values = observations.double()
        count, mean, variance = len(values), values.mean(0), values.var(0, correction=0)
        total, delta = self.count + count, mean - self.mean
        squares = self.variance * self.count + variance * count + delta**2 * self.count * count / total
        self.mean += delta * count / total
        self.variance.copy_(squares / total)
        self.count.copy_(total)
        self.shift.copy_(self.mean)
        self.factor.copy_((self.variance + 1e-8).rsqrt())

    def forward(self, x: Tensor, state: Any = None) -> Features:
        return self.trunk(((x - self.shift) * self.factor).clamp(-self.max_abs, self.max_abs), state)

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.trunk.flops(shape)


class ImageNormaliser(ObservationNormaliser):
    """The same for images [B, C, H, W], by channel: small ones may hold kinds of things, as 0 to 10, which divided by 255 are
    nothing to a network."""

    def update_statistics(self, observations: Tensor) -> None:
        """[N, C, H, W]"""
        super().update_statistics(observations.permute(0, 2, 3, 1).flatten(0, 2))

    def forward(self, x: Tensor, state: Any = None) -> Features:
        pixels = ((x.permute(0, 2, 3, 1) - self.shift) * self.factor).clamp(-self.max_abs, self.max_abs)
        return self.trunk(pixels.permute(0, 3, 1, 2), state)
