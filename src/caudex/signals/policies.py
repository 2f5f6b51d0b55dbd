"""What a policy says, and the heads that say it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Categorical(NamedTuple):
    """One of K actions; `logits` [B, K] are log-probabilities."""

    logits: Tensor

    def sample(self) -> Tensor:  # the Gumbel trick: an order faster than multinomial for few rows
        return (self.logits - torch.empty_like(self.logits).exponential_().log()).argmax(-1)

    def mode(self) -> Tensor:
        return self.logits.argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return self.logits.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.logits.exp() * self.logits).sum(-1)

    def kl(self, other: Categorical) -> Tensor:
        """[B], from this to the other."""
        return (self.logits.exp() * (self.logits - other.logits)).sum(-1)


class Gaussian(NamedTuple):
    """A vector of numbers, each normal by itself: `mean` [B, A], `log_deviation` [A]."""

    mean: Tensor
    log_deviation: Tensor

    def sample(self) -> Tensor:
        return self.mean + torch.randn_like(self.mean) * self.log_deviation.exp()

    def mode(self) -> Tensor:
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        apart = (actions - self.mean) / self.log_deviation.exp()
        return (-0.5 * apart**2 - self.log_deviation - 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        return (self.log_deviation + 0.5 * math.log(2 * math.pi * math.e)).sum().expand(len(self.mean))

    def kl(self, other: Gaussian) -> Tensor:
        """[B], from this to the other."""
        apart = other.log_deviation - self.log_deviation
        ratio = ((2 * self.log_deviation).exp() + (self.mean - other.mean) ** 2) / (2 * (2 * other.log_deviation).exp())
        return (apart + ratio - 0.5).sum(-1)


class Policy(nn.Module):
    """Features [B, W] to a distribution over `actions`: {"count": K}, or {"low": [A], "high": [A]}.

    `hidden` layers of tanh before it, where policy and value share no trunk. Orthogonal weights, those of the last layer a
    hundredth (Engstrom et al. 2020); the deviation of a vector does not depend on the features.
    """

    def __init__(self, width: int, actions: Mapping, hidden: Sequence[int] = ()):
        super().__init__()
        self.count = actions.count
        self.body = tanh_layers(width, self.count or len(actions.low), hidden, 0.01)
        if not self.count:
            self.log_deviation = nn.Parameter(torch.zeros(len(actions.low)))
            self.register_buffer("low", torch.tensor(actions.low), persistent=False)
            self.register_buffer("high", torch.tensor(actions.high), persistent=False)

    def forward(self, features: Tensor) -> Categorical | Gaussian:
        made = self.body(features)
        return Categorical(F.log_softmax(made, -1)) if self.count else Gaussian(made, self.log_deviation)

    def clip_actions(self, actions: Tensor) -> Tensor:
        """What the environment takes of what was drawn."""
        return actions if self.count else actions.clamp(self.low, self.high)


class Bounds(nn.Module):
    """Numbers between -1 and 1 to the actions of an environment, {"low": [A], "high": [A]}, and back."""

    def __init__(self, actions: Mapping):
        super().__init__()
        self.count = len(actions.low)
        self.register_buffer("low", torch.tensor(actions.low), persistent=False)
        self.register_buffer("high", torch.tensor(actions.high), persistent=False)

    def env(self, unit: Tensor) -> Tensor:
        return torch.lerp(self.low, self.high, (unit + 1) / 2)  # exact at both ends, lest rounding leave the bounds

    def unit(self, actions: Tensor) -> Tensor:
        return (actions - self.low) * (2 / (self.high - self.low)) - 1

    def any(self, count: int) -> Tensor:
        """[count, A]: all of the environment's actions are as likely."""
        return torch.lerp(self.low, self.high, torch.rand(count, self.count, device=self.low.device))


def tanh_layers(width: int, out: int, hidden: Sequence[int], gain: float) -> nn.Sequential:
    """[B, width] to [B, out] with orthogonal weights, `gain` for the last."""
    sizes = [width, *hidden, out]
    layers: list[nn.Module] = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.Tanh()]
    layers.pop()
    for layer in layers[::2]:
        nn.init.orthogonal_(layer.weight, math.sqrt(2))
        nn.init.zeros_(layer.bias)
    nn.init.orthogonal_(layers[-1].weight, gain)
    return nn.Sequential(*layers)


def layers(width: int, out: int, hidden: Sequence[int], linear: Callable = nn.Linear) -> nn.Sequential:
    """[B, width] to [B, out], ReLU between."""
    made: list[nn.Module] = []
    for size in hidden:
        made += [linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*made, linear(width, out))


def summary(width: int, features: int) -> nn.Module:
    """[B, width], of convolutions, to [B, features], normalised; with 0 as it is."""
    return nn.Sequential(nn.Linear(width, features), nn.LayerNorm(features)) if features else nn.Identity()
