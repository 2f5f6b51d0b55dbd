"""Distributions over actions, and the networks that policies and critics are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.specs import ActionSpec


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
    """A diagonal Gaussian over vectors: `mean` [B, A], `log_std` [A]."""

    mean: Tensor
    log_std: Tensor

    def sample(self) -> Tensor:
        return self.mean + torch.randn_like(self.mean) * self.log_std.exp()

    def mode(self) -> Tensor:
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        z = (actions - self.mean) / self.log_std.exp()
        return (-0.5 * z**2 - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).sum().expand(len(self.mean))

    def kl(self, other: Gaussian) -> Tensor:
        """[B], from this to the other."""
        log_ratio = other.log_std - self.log_std
        squares = ((2 * self.log_std).exp() + (self.mean - other.mean) ** 2) / (2 * (2 * other.log_std).exp())
        return (log_ratio + squares - 0.5).sum(-1)


class MultiCategorical(NamedTuple):
    """Several choices at once, independent of each other: actions [B, A]."""

    choices: tuple[Categorical, ...]  # A of them

    def sample(self) -> Tensor:
        return torch.stack([choice.sample() for choice in self.choices], -1)

    def mode(self) -> Tensor:
        return torch.stack([choice.mode() for choice in self.choices], -1)

    def log_prob(self, actions: Tensor) -> Tensor:
        return sum(choice.log_prob(action) for choice, action in zip(self.choices, actions.unbind(-1)))

    def entropy(self) -> Tensor:
        return sum(choice.entropy() for choice in self.choices)

    def kl(self, other: MultiCategorical) -> Tensor:
        """[B], from this to the other."""
        return sum(choice.kl(other_choice) for choice, other_choice in zip(self.choices, other.choices))


class PolicyNetwork(nn.Module):
    """Features [B, W] to a distribution over actions: `Categorical`, `MultiCategorical`, or `Gaussian` for vectors.

    `hidden` layers of tanh come first, where policy and value share no trunk. Weights are orthogonal, those of the last layer
    a hundredth (Engstrom et al. 2020); the standard deviation does not depend on the features. With `mask_size` the last of the
    features say which actions are allowed; others have probability 0 (Huang and Ontanon 2022, section 3).
    """

    def __init__(self, width: int, actions: ActionSpec, hidden: Sequence[int] = (), mask_size: int = 0):
        super().__init__()
        self.choices, self.mask_size = actions.choices, mask_size  # () for vectors
        self.body = tanh_mlp(width, actions.size, hidden, 0.01)
        if not self.choices:
            low, high = actions.bounds
            self.log_std = nn.Parameter(torch.zeros(actions.size))
            self.register_buffer("low", torch.tensor(low), persistent=False)
            self.register_buffer("high", torch.tensor(high), persistent=False)

    def forward(self, features: Tensor) -> Categorical | MultiCategorical | Gaussian:
        outputs = self.body(features)
        if not self.choices:
            return Gaussian(outputs, self.log_std)
        outputs = mask_logits(outputs, features, self.mask_size)
        if len(self.choices) == 1:
            return Categorical(F.log_softmax(outputs, -1))
        return MultiCategorical(tuple(Categorical(F.log_softmax(part, -1)) for part in outputs.split(self.choices, -1)))

    def clip_actions(self, actions: Tensor) -> Tensor:
        """Sampled actions within the bounds of the environment."""
        return actions if self.choices else actions.clamp(self.low, self.high)


def mask_logits(logits: Tensor, features: Tensor, mask_size: int) -> Tensor:
    """Logits or Q-values [B, K], very low where the last `mask_size` features are 0: finite, so that 0 times them is 0."""
    if not mask_size:
        return logits
    return logits.masked_fill(features[..., -mask_size:] == 0, torch.finfo(logits.dtype).min / 2)


class ActionScaler(nn.Module):
    """Actions between -1 and 1 to those of an environment with bounds, and back."""

    def __init__(self, actions: ActionSpec):
        super().__init__()
        self.size = len(actions.low)
        self.register_buffer("low", torch.tensor(actions.low), persistent=False)
        self.register_buffer("high", torch.tensor(actions.high), persistent=False)

    def unscale(self, scaled: Tensor) -> Tensor:
        """From [-1, 1] to [low, high]."""
        return torch.lerp(self.low, self.high, (scaled + 1) / 2)  # exact at both ends: rounding never leaves the bounds

    def scale(self, actions: Tensor) -> Tensor:
        """From [low, high] to [-1, 1]."""
        return (actions - self.low) * (2 / (self.high - self.low)) - 1

    def sample(self, count: int) -> Tensor:
        """[count, A], uniform within the bounds of the environment."""
        return torch.lerp(
            self.low, self.high, torch.rand(count, self.size, dtype=self.low.dtype, device=self.low.device)
        )


class MLP(nn.Sequential):
    """[..., width] to [..., outputs]: linear layers with an activation between them.

    As `nn.Sequential`, but for its calls of modules: of small networks they cost as much as the products.
    """

    def __init__(self, sizes: Sequence[int], activation: type[nn.ReLU] | type[nn.Tanh]):
        layers = [nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:])]
        super().__init__(*[module for layer in layers for module in (layer, activation())][:-1])
        self.layers, self.activate = tuple(layers), torch.tanh_ if activation is nn.Tanh else torch.relu_

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activate(F.linear(x, layer.weight, layer.bias))
        return F.linear(x, last.weight, last.bias)

    def forward_flops(self, inputs, output):
        return 2 * output[..., 0].numel() * sum(layer.in_features * layer.out_features for layer in self.layers)


def tanh_mlp(width: int, outputs: int, hidden: Sequence[int], gain: float) -> MLP:
    """Tanh between the layers; orthogonal weights, `gain` for the last layer's."""
    mlp = MLP((width, *hidden, outputs), nn.Tanh)
    for layer in mlp.layers:
        nn.init.orthogonal_(layer.weight, math.sqrt(2))
        nn.init.zeros_(layer.bias)
    nn.init.orthogonal_(mlp.layers[-1].weight, gain)
    return mlp


def relu_mlp(width: int, outputs: int, hidden: Sequence[int], linear: Callable = nn.Linear) -> nn.Sequential:
    """ReLU between the layers, which `linear` makes."""
    if linear is nn.Linear:
        return MLP((width, *hidden, outputs), nn.ReLU)
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, linear(width, outputs))


def feature_projection(width: int, feature_dim: int) -> nn.Module:
    """Features of convolutions [B, width] to [B, feature_dim], layer-normalised; the identity where `feature_dim` is 0."""
    return nn.Sequential(nn.Linear(width, feature_dim), nn.LayerNorm(feature_dim)) if feature_dim else nn.Identity()
