"""LARS: each layer's step is as long as its weights allow, so that batches of thousands train."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


class LARS(Optimizer):
    """Momentum over gradients scaled, layer by layer, to `trust_coefficient` times the norm of the weights.

    v <- momentum v + lr ratio (g + decay w);  w <- w - v;  ratio = trust_coefficient |w| / |g + decay w|, one where a norm is zero.

    Vectors (biases, normalisation) neither decay nor scale. Sources: You et al. 2017, algorithm 1, which has
    |g| + decay |w| below the line; Chen et al. 2020 (SimCLR), whose code has the norm of the sum, as here.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust_coefficient: float = 0.001,
    ):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"trust_coefficient": trust_coefficient})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params_with_grad = [p for p in group["params"] if p.grad is not None]
            matrices, vectors = (
                [p for p in params_with_grad if p.ndim > 1],
                [p for p in params_with_grad if p.ndim <= 1],
            )
            if matrices:
                self._update(
                    matrices, _scaled_gradients(matrices, group["weight_decay"], group["trust_coefficient"]), group
                )
            if vectors:
                self._update(vectors, [p.grad for p in vectors], group)
        return loss

    def _update(self, weights: list[Tensor], gradients: list[Tensor], group: dict) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        buffers = [self.state[weight]["momentum_buffer"] for weight in weights]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients, alpha=group["lr"])  # here, not below: each step keeps its own rate
        torch._foreach_sub_(weights, buffers)


def _scaled_gradients(weights: list[Tensor], weight_decay: float, trust_coefficient: float) -> list[Tensor]:
    """The gradients with weight decay, each times its layer's trust ratio."""
    gradients = torch._foreach_add([weight.grad for weight in weights], weights, alpha=weight_decay)
    weight_norms, gradient_norms = (torch.stack(torch._foreach_norm(tensors)) for tensors in (weights, gradients))
    either_zero = (weight_norms == 0) | (gradient_norms == 0)
    ratios = torch.where(either_zero, 1.0, trust_coefficient * weight_norms / gradient_norms)
    torch._foreach_mul_(gradients, list(ratios))
    return gradients
