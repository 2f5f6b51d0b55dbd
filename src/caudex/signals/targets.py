"""Heads of what is predicted of an image where it is not one class: tags, or a number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of
from caudex.signals.regression import Regression


class TagLabels(Signal):
    """Predict each tag by itself: the mean of their binary cross-entropies (Read et al. 2011, section 1: binary relevance).

    `batch.labels` is [B, K], 1 where an image has the tag and 0 where it has not. `shares` [K] are those of the images that
    have each.
    """

    needs = "labelled"

    def __init__(self, shares: Sequence[float]):
        super().__init__()
        self.shares = tuple(shares)

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), len(self.shares))

    def chance_loss(self):
        """Of predicting the share of each tag."""
        shares = torch.tensor(self.shares, dtype=torch.float64)
        return F.binary_cross_entropy(shares, shares).item()

    def logits(self, trunk: nn.Module, observations: Tensor) -> Tensor:
        """[B, K]"""
        return self.head(trunk(observations).pooled)

    def loss(self, trunk, batch):
        logits = self.logits(trunk, batch[0])
        right = ((logits.detach() > 0) == (batch.labels > 0.5)).float().mean()
        return SignalOutput(F.binary_cross_entropy_with_logits(logits, batch.labels), {"accuracy": right})


class NumberLabels(Regression):
    """Predict `batch.labels` [B]: the mean squared error of the number, standardised by `mean` and `std`."""

    needs = "labelled"

    def __init__(self, mean: float, std: float):
        super().__init__(torch.tensor([mean], dtype=torch.float64), torch.tensor([std], dtype=torch.float64))
        self.std.fill_(std)  # also where numbers are tiny

    def loss(self, trunk, batch):
        return SignalOutput(self.errors(trunk, batch[0], batch.labels[:, None]).mean(), {})
