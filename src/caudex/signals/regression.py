"""Regression: which numbers stand behind what is seen?"""

from __future__ import annotations

from torch import Tensor, nn

from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of


class Regression(Signal):
    """Which numbers stand behind what is seen?

    They are `batch.numbers` [B, S]; `mean` and `deviation` [S] are theirs. The loss is the squared error of each number
    over its variance: 1 for one who always says the mean.
    """

    needs = "numbers"

    def __init__(self, mean: Tensor, deviation: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation.clamp_min(1e-6))

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), len(self.mean))

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        return SignalOutput(self.errors(trunk, batch.observations, batch.numbers).mean(), {})

    def errors(self, trunk: nn.Module, observations: Tensor, numbers: Tensor) -> Tensor:
        """[B, S]: squared, over the variance."""
        told = self.head(trunk(observations).pooled)
        return (told - (numbers - self.mean) / self.deviation).square()
