"""LARS: each layer's step is as long as its weights allow, so that batches of thousands train."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


class LARS(Optimizer):
    """Momentum over gradients scaled, layer by layer, to `trust` times the norm of the weights.

    v <- momentum v + lr ratio (g + decay w);  w <- w - v;  ratio = trust |w| / |g + decay w|, one where a norm is zero.

    Vectors (biases, normalisation) neither decay nor scale. Sources: You et al. 2017, algorithm 1, which has
    |g| + decay |w| below the line; Chen et al. 2020 (SimCLR), whose code has the norm of the sum, as here.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust: float = 0.001,
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            taught = [p for p in group["params"] if p.grad is not None]
            matrices, vectors = [p for p in taught if p.ndim > 1], [p for p in taught if p.ndim <= 1]
            if matrices:
                self._move(matrices, _adapted(matrices, group["weight_decay"], group["trust"]), group)
            if vectors:
                self._move(vectors, [p.grad for p in vectors], group)
        return loss

    def _move(self, weights: list[Tensor], gradients: list[Tensor], group: dict) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["velocity"] = torch.zeros_like(weight)
        velocities = [self.state[weight]["velocity"] for weight in weights]
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, gradients, alpha=group["lr"])  # here, not below: each step keeps its own rate
        torch._foreach_sub_(weights, velocities)


def _adapted(weights: list[Tensor], decay: float, trust: float) -> list[Tensor]:
    """The gradients with weight decay, each times its layer's trust ratio."""
    gradients = torch._foreach_add([weight.grad for weight in weights], weights, alpha=decay)
    weight_norms, gradient_norms = (torch.stack(torch._foreach_norm(each)) for each in (weights, gradients))
    either_zero = (weight_norms == 0) | (gradient_norms == 0)
    ratios = torch.where(either_zero, 1.0, trust * weight_norms / gradient_norms)
    torch._foreach_mul_(gradients, list(ratios))
    return gradients
