"""RMSprop as deep reinforcement learning was published with: `eps` stands under the root."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


class RMSprop(Optimizer):
    """s <- alpha s + (1 - alpha) g^2;  w <- w - lr g / sqrt(s + eps); all averages start at zero. `centered` subtracts the
    square of the mean gradient m <- alpha m + (1 - alpha) g from s.

    torch's adds eps outside the root, so that the first step of a weight is ten times the learning rate. Weights do not
    decay. Sources: Mnih et al. 2016, equations S2 and S3; centered, Mnih et al. 2015, extended data table 1, whose two
    momenta are the `alpha` of both averages.
    """

    def __init__(self, params: Iterable, lr: float, alpha: float, eps: float, centered: bool = False):
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "centered": centered})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients, square_avgs = [weight.grad for weight in weights], self._averages("square_avg", weights)
            torch._foreach_mul_(square_avgs, group["alpha"])
            torch._foreach_addcmul_(square_avgs, gradients, gradients, 1 - group["alpha"])
            if group["centered"]:
                grad_avgs = self._averages("grad_avg", weights)
                torch._foreach_lerp_(grad_avgs, gradients, 1 - group["alpha"])
                square_avgs = torch._foreach_addcmul(square_avgs, grad_avgs, grad_avgs, -1)
            square_avgs = torch._foreach_add(square_avgs, group["eps"])
            torch._foreach_sqrt_(square_avgs)
            torch._foreach_addcdiv_(weights, gradients, square_avgs, -group["lr"])
        return loss

    def _averages(self, name: str, weights: list[Tensor]) -> list[Tensor]:
        """The running averages of this name, one for each weight."""
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight)
        return [self.state[weight][name] for weight in weights]
