"""One trunk, some named signals, one optimiser; one step is one sum of losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from caudex.core.collectives import mean_over_processes
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput


class CachedTrunk:
    """The trunk as the signals of one step see it: the same tensor is encoded once.

    A pass is the same if tensor, gradient mode, train mode and frozenness are; with recurrent state it is never shared.
    """

    def __init__(self, trunk: nn.Module):
        self.trunk, self.passes = trunk, {}
        self.weight = next(trunk.parameters(), None)

    def __call__(self, x: Tensor, state=None):
        if state is not None:
            return self.trunk(x, state)
        trainable = self.weight is not None and self.weight.requires_grad
        key = (id(x), getattr(x, "_version", 0), torch.is_grad_enabled(), self.trunk.training, trainable)
        if key not in self.passes:
            self.passes[key] = (self.trunk(x), x)  # x is kept, or its id could come again
        return self.passes[key][0]

    def __getattr__(self, name):
        return getattr(self.trunk, name)


class Learner(nn.Module):
    """`learner.step(batches)` sums the weighted losses of all signals and takes one step.

    `optimizer` makes an optimiser from parameter groups. The signals' own `groups()` come first; of what remains,
    matrices decay and vectors (biases, normalisation) do not. `schedule` maps `progress` in [0, 1] to a factor on
    every learning rate. `max_grad_norm` bounds the joint norm of the gradients of all groups without a `max_grad_norm` of their own.
    `average` keeps a `Shadow` of trunk and heads with that decay, for evaluation (`learner.averaged`).
    """

    def __init__(
        self,
        trunk: nn.Module,
        signals: Mapping[str, Signal],
        optimizer: Callable[[list[dict]], Optimizer] = partial(AdamW, lr=1e-3, fused=True),
        schedule: Callable[[float], float] = lambda progress: 1.0,
        max_grad_norm: float | None = 1.0,
        average: float | None = None,
    ):
        super().__init__()
        self.trunk = trunk
        self.signals = nn.ModuleDict(signals)
        for signal in self.signals.values():
            signal.build(trunk)
        self.average = Shadow(nn.ModuleList([trunk, self.signals]), average, warmup=True) if average else None
        self.schedule, self.max_grad_norm, self.progress = schedule, max_grad_norm, 0.0
        self.log_gradients = False  # `fit` sets it now and then: whether to add metrics of the signals' gradients
        self.optimizer = optimizer(self._groups())
        self.base_lrs = [group["lr"] for group in self.optimizer.param_groups]
        self._shadows = tuple(self.find_shadows())  # in a tuple: already registered through the signals
        self.attach(None, Tensor.backward)

    def _groups(self) -> list[dict]:
        groups = [dict(group) for signal in self.signals.values() for group in signal.groups()]
        for group in groups:
            group["params"] = list(group["params"])
        grouped = {id(p) for group in groups for p in group["params"]}
        ungrouped = [p for p in self.parameters() if p.requires_grad and id(p) not in grouped]
        groups.append({"params": [p for p in ungrouped if p.ndim > 1]})
        groups.append({"params": [p for p in ungrouped if p.ndim <= 1], "weight_decay": 0.0})
        return [group for group in groups if group["params"]]

    @property
    def device(self) -> torch.device:
        return self.optimizer.param_groups[0]["params"][0].device

    def attach(self, forward: Callable | None, backward: Callable) -> None:
        """`fit` sets the forward and backward that run on its devices; None is this module itself."""
        self._passes = (forward, backward)  # in a tuple: not a part of this module

    def forward(self, batches: Mapping) -> dict[str, SignalOutput]:
        """The output of each signal that has a loss in this step, not yet weighted."""
        trunk, outputs = CachedTrunk(self.trunk), {}
        for name, signal in self.signals.items():
            signal.progress = self.progress
            output = signal.loss(trunk, batches[name])
            if output is not None:
                outputs[name] = output
        return outputs

    def step(self, batches: Mapping) -> dict[str, SignalOutput]:
        """One sum of losses, one backward pass, one optimiser step, one update of each shadow."""
        outputs = self.compute_gradients(batches)
        self.apply_gradients()
        return outputs

    def compute_gradients(self, batches: Mapping) -> dict[str, SignalOutput]:
        """The first half of a step: the gradient of the weighted sum of losses, in `parameter.grad`."""
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = None
        forward, backward = self._passes
        outputs = (forward or self)(batches)
        if self.log_gradients:
            outputs = self._with_gradient_metrics(outputs)
        if outputs:
            losses = [weighted(output.loss, self.signals[name].weight) for name, output in outputs.items()]
            backward(sum(losses[1:], losses[0]))
        return outputs

    def apply_gradients(self) -> None:
        """The second half: the optimiser steps by the gradients in `parameter.grad`, and each shadow is updated."""
        for group, rate in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = rate * self.schedule(self.progress)
        self._clip_gradients()
        self.optimizer.step()
        for shadow in self._shadows:
            shadow.update()

    def _with_gradient_metrics(self, outputs: dict[str, SignalOutput]) -> dict[str, SignalOutput]:
        """Adds the norm of each weighted loss's gradient on the trunk, and its cosine with those of the signals before it;
        below zero the signals conflict. Gradients are averaged over processes."""
        weights = [p for p in self.trunk.parameters() if p.requires_grad]
        gradients: dict[str, Tensor] = {}
        for name, signal in self.signals.items() if len(self.signals) > 1 and weights else ():
            output, parts = outputs.get(name), [torch.zeros_like(p) for p in weights]
            if output and output.loss.requires_grad:
                loss = signal.weight * output.loss
                parts = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True, materialize_grads=True)
            gradient = torch.cat([part.flatten() for part in parts])
            gradient = mean_over_processes(gradient)  # also for a silent signal: all processes must take part
            if output:
                cosines = {
                    f"cosine with {other}": F.cosine_similarity(gradient, g, 0) for other, g in gradients.items()
                }
                outputs[name] = output._replace(metrics={**output.metrics, "gradient norm": gradient.norm(), **cosines})
                gradients[name] = gradient
        return outputs

    def _clip_gradients(self) -> None:
        shared = []
        for group in self.optimizer.param_groups:
            if group.get("max_grad_norm"):
                clip_grad_norm(group["params"], group["max_grad_norm"])
            else:
                shared += group["params"]
        if self.max_grad_norm:
            clip_grad_norm(shared, self.max_grad_norm)

    def find_shadows(self) -> list[Shadow]:
        """Each distinct shadow once, however many signals hold it; a shadow's copy is not searched."""
        shadows, waiting, visited = [], [self], set()
        while waiting:
            module = waiting.pop()
            if module in visited:
                continue
            visited.add(module)
            if isinstance(module, Shadow):
                shadows.append(module)
            else:
                waiting += module.children()
        return shadows[::-1]  # in the order of construction: the average last, for it follows the others

    @property
    def averaged(self) -> tuple[nn.Module, nn.ModuleDict]:
        """Trunk and signals for evaluation: the averaged ones if `average` is set, else the trained ones."""
        return tuple(self.average.copy) if self.average else (self.trunk, self.signals)


def weighted(loss: Tensor, weight: float) -> Tensor:
    return loss if weight == 1 else weight * loss


def clip_grad_norm(parameters: list[Tensor], max_norm: float) -> None:
    """Scale the gradients so that their joint norm is at most `max_norm`. torch's own sorts them by device first, which takes
    longer than the rest where the network is small."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if gradients:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_div_(gradients, (norm / max_norm).clamp_min(1.0))


def cosine_schedule(progress: float, warmup: float = 0.05, final: float = 0.0) -> float:
    """Linear warm-up over the first `warmup` of training, then half a cosine down to `final`."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
