"""RMSProp as A3C has it: each weight's step is over the root of its gradient's mean square."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer


class RMSProp(Optimizer):
    """g <- decay g + (1 - decay) d^2;  w <- w - lr d / sqrt(g + epsilon);  g is zero at first.

    Source: Mnih et al. 2016, equations S2 and S3. `torch.optim.RMSprop` has sqrt(g) + epsilon below the line, with which
    a weight that is taught for the first time moves by ten times the learning rate.
    """

    def __init__(self, params: Iterable, lr: float, decay: float = 0.99, epsilon: float = 1e-5):
        super().__init__(params, {"lr": lr, "decay": decay, "epsilon": epsilon})

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
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["square"] = torch.zeros_like(weight)
            gradients, squares = [w.grad for w in weights], [self.state[w]["square"] for w in weights]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["decay"])
            roots = torch._foreach_add(squares, group["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(weights, gradients, roots, -group["lr"])
        return loss
