"""One trunk, some named signals, one optimiser; one step is one sum of losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput


class CachedTrunk:
    """The trunk as the signals of one step see it: the same tensor is encoded once.

    A pass is the same if tensor, gradient mode, train mode and frozenness are; with recurrent state it is never shared.
    """

    def __init__(self, trunk: nn.Module):
        self.trunk, self.passes = trunk, {}

    def __call__(self, x: Tensor, state=None):
        if state is not None:
            return self.trunk(x, state)
        weight = next(self.trunk.parameters(), None)
        taught = weight is not None and weight.requires_grad
        key = (id(x), getattr(x, "_version", 0), torch.is_grad_enabled(), self.trunk.training, taught)
        if key not in self.passes:
            self.passes[key] = (self.trunk(x), x)  # x is kept, or its id could come again
        return self.passes[key][0]

    def __getattr__(self, name):
        return getattr(self.trunk, name)


class Learner(nn.Module):
    """`learner.step(batches)` sums the weighted losses of all signals and takes one step.

    `optimizer` makes an optimiser from parameter groups. The signals' own `groups()` come first; of what remains,
    matrices decay and vectors (biases, normalisation) do not. `schedule` maps `progress` in [0, 1] to a factor on
    every learning rate. `clip` bounds the gradient's norm over all parameters of groups without a `clip` of their own.
    `average` keeps a `Shadow` of trunk and heads with that decay, for evaluation (`learner.averaged`).
    """

    def __init__(
        self,
        trunk: nn.Module,
        signals: Mapping[str, Signal],
        optimizer: Callable[[list[dict]], Optimizer] = partial(AdamW, lr=1e-3, fused=True),
        schedule: Callable[[float], float] = lambda progress: 1.0,
        clip: float | None = 1.0,
        average: float | None = None,
    ):
        super().__init__()
        self.trunk = trunk
        self.signals = nn.ModuleDict(signals)
        for signal in self.signals.values():
            signal.build(trunk)
        self.average = Shadow(nn.ModuleList([trunk, self.signals]), average, warm=True) if average else None
        self.schedule, self.clip, self.progress = schedule, clip, 0.0
        self.measuring = False  # `fit` wants to know now and then how the signals get on with each other
        self.optimizer = optimizer(self._groups())
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.following = tuple(self.shadows())  # found once; in a tuple: parts of this module already
        self.attach(None, Tensor.backward)

    def _groups(self) -> list[dict]:
        groups = [dict(group) for signal in self.signals.values() for group in signal.groups()]
        for group in groups:
            group["params"] = list(group["params"])
        taken = {id(p) for group in groups for p in group["params"]}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in taken]
        groups.append({"params": [p for p in rest if p.ndim > 1]})
        groups.append({"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0})
        return [group for group in groups if group["params"]]

    def attach(self, forward: Callable | None, backward: Callable) -> None:
        """`fit` hands in what runs the passes on its devices; None is this module itself."""
        self._passes = (forward, backward)  # in a tuple: not a part of this module

    def forward(self, batches: Mapping) -> dict[str, SignalOutput]:
        """What all signals say that speak this step; `step` weighs their losses."""
        trunk, taught = CachedTrunk(self.trunk), {}
        for name, signal in self.signals.items():
            signal.progress = self.progress
            said = signal.loss(trunk, batches[name])
            if said is not None:
                taught[name] = said
        return taught

    def step(self, batches: Mapping) -> dict[str, SignalOutput]:
        """One sum of losses, one backward pass, one optimiser step, one update of each shadow."""
        taught = self.teach(batches)
        self.move()
        return taught

    def teach(self, batches: Mapping) -> dict[str, SignalOutput]:
        """The first half of a step: the gradients of all losses together, in the parameters."""
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = None
        forward, backward = self._passes
        taught = (forward or self)(batches)
        if self.measuring:
            taught = self._compared(taught)
        if taught:
            losses = [weighted(said.loss, self.signals[name].weight) for name, said in taught.items()]
            backward(sum(losses[1:], losses[0]))
        return taught

    def move(self) -> None:
        """The second half: the optimiser takes the gradients that stand in the parameters, and each shadow follows."""
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = rate * self.schedule(self.progress)
        self._clip()
        self.optimizer.step()
        for shadow in self.following:
            shadow.update()

    def _compared(self, taught: dict[str, SignalOutput]) -> dict[str, SignalOutput]:
        """With the norm of each weighted loss's gradient on the trunk, and its cosine with those before it: below zero
        the signals pull the trunk apart. Of several processes the mean gradient counts."""
        weights = [p for p in self.trunk.parameters() if p.requires_grad]
        seen: dict[str, Tensor] = {}
        for name, signal in self.signals.items() if len(self.signals) > 1 and weights else ():
            said, parts = taught.get(name), [torch.zeros_like(p) for p in weights]
            if said and said.loss.requires_grad:
                loss = signal.weight * said.loss
                parts = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True, materialize_grads=True)
            gradient = torch.cat([part.flatten() for part in parts])
            if torch.distributed.is_initialized():  # also for a silent signal: all processes must take part
                torch.distributed.all_reduce(gradient)
                gradient /= torch.distributed.get_world_size()
            if said:
                cosines = {f"cosine with {other}": F.cosine_similarity(gradient, its, 0) for other, its in seen.items()}
                taught[name] = said._replace(metrics={**said.metrics, "gradient norm": gradient.norm(), **cosines})
                seen[name] = gradient
        return taught

    def _clip(self) -> None:
        together = []
        for group in self.optimizer.param_groups:
            if group.get("clip"):
                clip_grad_norm(group["params"], group["clip"])
            else:
                together += group["params"]
        if self.clip:
            clip_grad_norm(together, self.clip)

    def shadows(self) -> list[Shadow]:
        """Each distinct shadow once, however many signals hold it; a shadow's copy is not searched for further ones."""
        found, waiting, seen = [], [self], set()
        while waiting:
            module = waiting.pop()
            if module in seen:
                continue
            seen.add(module)
            if isinstance(module, Shadow):
                found.append(module)
            else:
                waiting += module.children()
        return found[::-1]  # as they were made: the average last, for it follows the others

    @property
    def averaged(self) -> tuple[nn.Module, nn.ModuleDict]:
        """Trunk and signals to be used: the averaged ones where an average is kept, else the trained ones."""
        return tuple(self.average.copy) if self.average else (self.trunk, self.signals)


def weighted(loss: Tensor, weight: float) -> Tensor:
    return loss if weight == 1 else weight * loss


def clip_grad_norm(weights: list[Tensor], most: float) -> None:
    """Scale the gradients of these weights so that all together are at most as long. torch's own sorts them by device first,
    which takes longer than the rest where the network is small."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if gradients:
        length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_div_(gradients, (length / most).clamp_min(1.0))


def cosine(progress: float, warm: float = 0.05, last: float = 0.0) -> float:
    """Linear warm-up over the first `warm` of training, then half a cosine down to `last`."""
    if progress < warm:
        return (progress + 1e-3) / (warm + 1e-3)
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))
