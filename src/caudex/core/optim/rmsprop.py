"""RMSprop as reinforcement learning was published with: steps over the root of the gradient's mean square."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


class RMSprop(Optimizer):
    """s <- a s + (1 - a) g^2;  w <- w - lr g / sqrt(s + least), with a = `decay`; all means are zero at first. `centred`
    takes the square of the mean m <- a m + (1 - a) g from s.

    torch's adds its small number behind the root, with which a weight that is taught for the first time moves by ten times
    the learning rate. Weights do not decay. Sources: Mnih et al. 2016, equations S2 and S3; centred, Mnih et al. 2015,
    extended data table 1, whose two momenta are the decay of both means.
    """

    def __init__(self, params: Iterable, lr: float, decay: float, least: float, centred: bool = False):
        super().__init__(params, {"lr": lr, "decay": decay, "least": least, "centred": centred})

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
            gradients, deviations = [weight.grad for weight in weights], self.means("square", weights)
            torch._foreach_mul_(deviations, group["decay"])
            torch._foreach_addcmul_(deviations, gradients, gradients, 1 - group["decay"])
            if group["centred"]:
                means = self.means("mean", weights)
                torch._foreach_lerp_(means, gradients, 1 - group["decay"])
                deviations = torch._foreach_addcmul(deviations, means, means, -1)
            deviations = torch._foreach_add(deviations, group["least"])
            torch._foreach_sqrt_(deviations)
            torch._foreach_addcdiv_(weights, gradients, deviations, -group["lr"])
        return loss

    def means(self, name: str, weights: list[Tensor]) -> list[Tensor]:
        """What is kept of the gradients of these weights."""
        for weight in weights:
            if name not in self.state[weight]:
                self.state[weight][name] = torch.zeros_like(weight)
        return [self.state[weight][name] for weight in weights]
