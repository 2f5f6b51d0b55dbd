"""RMSprop as deep Q-learning was published with: steps over the deviation of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


class RMSprop(Optimizer):
    """m <- a m + (1 - a) g;  s <- a s + (1 - a) g^2;  w <- w - lr g / sqrt(s - m^2 + least), with a = `decay`.

    torch's adds its small number behind the root. Weights do not decay. Source: Mnih et al. 2015, extended data table 1,
    whose two momenta are the decay of both means.
    """

    def __init__(self, params: Iterable, lr: float, decay: float = 0.95, least: float = 0.01):
        super().__init__(params, {"lr": lr, "decay": decay, "least": least})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight] |= {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
            gradients = [weight.grad for weight in weights]
            means, squares = ([self.state[weight][name] for weight in weights] for name in ("mean", "square"))
            torch._foreach_lerp_(means, gradients, 1 - group["decay"])
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["decay"])
            deviations = torch._foreach_addcmul(squares, means, means, -1)
            torch._foreach_add_(deviations, group["least"])
            torch._foreach_sqrt_(deviations)
            torch._foreach_addcdiv_(weights, gradients, deviations, -group["lr"])
        return loss
