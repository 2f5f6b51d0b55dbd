"""Observations as vectors, standardised by what was seen so far."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk


class Normalised(Trunk):
    """Vectors [B, W] to zero mean and unit deviation, cut at `most`, then `trunk`. `observe` is told what was seen; the
    statistics are saved with the weights, and stand still meanwhile."""

    def __init__(self, trunk: nn.Module, inputs: int, most: float = 10.0):
        super().__init__()
        self.trunk, self.most, self.width = trunk, most, trunk.width
        self.register_buffer("count", torch.tensor(1e-4, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(inputs, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(inputs, dtype=torch.float64))
        self.register_buffer("shift", torch.zeros(inputs))
        self.register_buffer("factor", torch.ones(inputs))

    @torch.no_grad()
    def observe(self, observations: Tensor) -> None:
        """[N, W]; the statistics of two parts make those of both (Chan et al. 1979)."""
        seen = observations.double()
        count, mean, variance = len(seen), seen.mean(0), seen.var(0, correction=0)
        whole, apart = self.count + count, mean - self.mean
        squares = self.variance * self.count + variance * count + apart**2 * self.count * count / whole
        self.mean += apart * count / whole
        self.variance.copy_(squares / whole)
        self.count.copy_(whole)
        self.shift.copy_(self.mean)
        self.factor.copy_((self.variance + 1e-8).rsqrt())

    def forward(self, x: Tensor, state: Any = None) -> Features:
        return self.trunk(((x - self.shift) * self.factor).clamp(-self.most, self.most), state)

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.trunk.flops(shape)
