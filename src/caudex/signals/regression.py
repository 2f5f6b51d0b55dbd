"""Regression: predict the numbers behind an observation."""

from __future__ import annotations

from torch import Tensor, nn

from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of


class Regression(Signal):
    """Predict the numbers behind an observation, `batch.numbers` [B, S].

    `mean` and `std` [S] are those of the numbers. The loss is the mean squared error of the standardised numbers: 1 for
    predicting the mean.
    """

    needs = "numbers"

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std.clamp_min(1e-6))

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), len(self.mean))

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        return SignalOutput(self.errors(trunk, batch.observations, batch.numbers).mean(), {})

    def errors(self, trunk: nn.Module, observations: Tensor, numbers: Tensor) -> Tensor:
        """Squared errors of the standardised numbers, [B, S]."""
        predictions = self.head(trunk(observations).pooled)
        return (predictions - ((numbers - self.mean) / self.std).to(predictions.dtype)).square()

    def predict(self, trunk: nn.Module, observations: Tensor) -> Tensor:
        """[B, S] in the units of the numbers, in the type of `mean`."""
        return self.head(trunk(observations).pooled).to(self.mean.dtype) * self.std + self.mean
