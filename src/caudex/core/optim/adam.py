"""Adam for small networks, where the overhead of a step costs more than the step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


class Adam(torch.optim.Adam):
    """torch's Adam (Kingma and Ba 2015), to the bit: its fused kernel, called at once; groups of the same settings as one.

    All weights of a group are of one kind and on one device.
    """

    def __init__(
        self, params: Iterable, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ):
        super().__init__(params, lr, betas, eps, weight_decay=0.0, fused=True)
        groups: dict[str, dict] = {}
        for group in self.param_groups:
            settings = str(sorted((name, value) for name, value in group.items() if name != "params"))
            groups.setdefault(settings, {**group, "params": []})["params"] += group["params"]
        self.param_groups[:] = groups.values()

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> None:
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            states = [self.state[weight] or self._init_state(weight) for weight in weights]
            steps, means, squares = ([state[name] for state in states] for name in ("step", "exp_avg", "exp_avg_sq"))
            if not weights:
                continue
            torch._foreach_add_(steps, 1)
            gradients, (beta1, beta2) = [weight.grad for weight in weights], group["betas"]
            torch._fused_adam_(
                weights, gradients, means, squares, [], steps, lr=group["lr"], beta1=beta1, beta2=beta2,
                weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=False,
            )  # fmt: skip

    step.hooked = True  # else torch wraps it for its profiler, at as much as the kernel costs

    def _init_state(self, weight: Tensor) -> dict:
        self.state[weight]["step"] = torch.zeros((), device=weight.device)
        self.state[weight] |= {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
        return self.state[weight]
