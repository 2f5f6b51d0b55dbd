"""What a run costs: floating-point operations, petaflop/s-days, seconds, money.

A multiply-add counts as two operations, as in the literature; the backward pass counts twice the forward pass
(Amodei and Hernandez 2018). Element-wise work is left out. torch's own counter is not used: it counts nothing for
attention on a CPU and for recurrent layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import prod

import torch
from torch import nn

PETAFLOP_S_DAY = 1e15 * 86_400


@dataclass
class Compute:
    """Operations and seconds; `price` is money per hour of the machine."""

    flops: float = 0.0
    seconds: float = 0.0
    price: float = 0.0

    def report(self) -> dict[str, float]:
        return {
            "flops": self.flops,
            "petaflop_s_days": self.flops / PETAFLOP_S_DAY,
            "seconds": round(self.seconds, 3),
            "price_per_hour": self.price,
            "cost": self.price * self.seconds / 3600,
        }

    def __str__(self) -> str:
        """For a person; petaflop/s-days stand in compute.json. `fit` counts the operations of its steps, not those of its evaluations,
        and the seconds of both."""
        money = f", {self.price * self.seconds / 3600:.2f} at {self.price:g} an hour" if self.price else ""
        speed = self.flops / max(self.seconds, 1e-9) / 1e9
        return f"{self.flops / 1e12:,.3g} TFLOP in {self.seconds:,.0f} s ({speed:,.0f} GFLOP/s){money}"


def _conv_flops(module, inputs, output):
    if module.transposed:  # each input number is spread out
        return 2 * inputs[0].numel() * module.out_channels // module.groups * prod(module.kernel_size)
    return 2 * output.numel() * module.in_channels // module.groups * prod(module.kernel_size)


def _linear_flops(module, inputs, output):
    return 2 * output.numel() * module.in_features


def _recurrent_flops(module, inputs, output):
    """Every matrix, of all layers and directions, is used once per token."""
    tokens = inputs[0].data.numel() // module.input_size  # of a packed sequence too
    return 2 * tokens * sum(weight.numel() for weight in module.parameters() if weight.ndim == 2)


def _attention_flops(module, inputs, output):
    query, key = inputs[0], inputs[1]
    batch = query.shape[0 if module.batch_first else 1] if query.ndim == 3 else 1
    queries, keys = query.numel() // (batch * query.shape[-1]), key.numel() // (batch * key.shape[-1])
    width = module.embed_dim
    projections = 2 * batch * width * (2 * queries * width + keys * (module.kdim + module.vdim))
    return projections + 2 * 2 * batch * queries * keys * width


FLOP_RULES: dict[type, Callable] = {
    nn.Linear: _linear_flops,
    nn.modules.conv._ConvNd: _conv_flops,
    nn.RNNBase: _recurrent_flops,
    nn.RNNCellBase: _recurrent_flops,
    nn.MultiheadAttention: _attention_flops,
}


class FlopCounter:
    """`flops` so far; a forward pass that records gradients counts three times, for what its backward costs."""

    def __init__(self):
        self.flops = 0.0

    def add(self, forward: float) -> None:
        self.flops += forward * (3 if torch.is_grad_enabled() else 1)


_active_counters: list[FlopCounter] = []


def add_flops(flops: float) -> None:
    """Count operations that no hook sees: those of another process, and outside of modules."""
    for counter in _active_counters:
        counter.flops += flops


@contextmanager
def count_flops(*modules: nn.Module) -> Iterator[FlopCounter]:
    """Count the operations of all that runs inside these modules meanwhile.

    A module of another kind can bring its own rule: a method `forward_flops(inputs, output)`.
    """
    counter, hooks, visited = FlopCounter(), [], set()

    def visit(module):
        if module in visited:
            return
        visited.add(module)
        rule = next((rule for kind, rule in FLOP_RULES.items() if isinstance(module, kind)), None)
        if hasattr(module, "forward_flops"):
            rule = type(module).forward_flops
        if rule:

            def count(module, args, kwargs, output, rule=rule):
                counter.add(rule(module, (*args, *kwargs.values()), output))

            hooks.append(module.register_forward_hook(count, with_kwargs=True))
        if isinstance(module, nn.MultiheadAttention):
            return  # its output projection is counted with it
        for child in module.children():
            visit(child)

    for module in modules:
        visit(module)
    _active_counters.append(counter)
    try:
        yield counter
    finally:
        _active_counters.remove(counter)
        for hook in hooks:
            hook.remove()


class PassCounter:
    """Operations of many forward passes: one of each kind is counted by hooks, the others by their number of examples."""

    def __init__(self):
        self.flops, self.flops_per_example = 0.0, dict[str, float]()

    def count_pass(self, kind: str, module: nn.Module, examples: int) -> AbstractContextManager:
        """Around one pass of that kind through `module`, of so many examples."""
        if kind not in self.flops_per_example:
            return self._count_by_hooks(kind, module, examples)
        self.flops += examples * self.flops_per_example[kind]
        return nullcontext()

    @contextmanager
    def _count_by_hooks(self, kind: str, module: nn.Module, examples: int) -> Iterator[None]:
        with count_flops(module) as counter:
            yield
        self.flops_per_example[kind] = counter.flops / examples
        self.flops += counter.flops
