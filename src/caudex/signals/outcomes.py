"""Heads that tell what comes of an action."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import MIN_SQUARED_ERROR
from caudex.signals.policies import layers


class Outcome(nn.Module):
    """Features [M, W] and what was done there, as a policy draws it, to `out` numbers [M, out] that come of it."""

    def __init__(self, width: int, actions: Mapping, out: int):
        super().__init__()
        self.count = actions.count
        self.body = layers(width + (self.count or len(actions.low)), out, (64,))

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        done = F.one_hot(actions, self.count).to(features.dtype) if self.count else actions
        return self.body(torch.cat([features, done], -1))


def over_variance(told: Tensor, true: Tensor) -> Tensor:
    """Squared error of [M, ...] over the variance in the batch: 1 for one who always says the mean."""
    return (told - true).square().mean() / true.var(0, correction=0).mean().clamp_min(MIN_SQUARED_ERROR)
