"""The head and the error of signals that predict what an action leads to."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import MIN_SQUARED_ERROR
from caudex.core.specs import ActionSpec
from caudex.signals.policies import relu_mlp


class OutcomeHead(nn.Module):
    """Features [M, W] and actions, as a policy samples them, to predictions [M, outputs]."""

    def __init__(self, width: int, actions: ActionSpec, outputs: int):
        super().__init__()
        self.choices = actions.choices  # () for vectors
        self.body = relu_mlp(width + actions.size, outputs, (64,))

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        vectors = actions
        if self.choices:
            choices = zip(actions.view(*features.shape[:-1], -1).unbind(-1), self.choices)
            vectors = torch.cat([F.one_hot(action, count) for action, count in choices], -1).to(features.dtype)
        return self.body(torch.cat([features, vectors], -1))


def normalised_mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of [M, ...] divided by the variance in the batch: 1 for predicting the mean."""
    return (predictions - targets).square().mean() / targets.var(0, correction=0).mean().clamp_min(MIN_SQUARED_ERROR)
