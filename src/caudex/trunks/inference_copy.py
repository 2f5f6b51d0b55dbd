"""A copy of a network that generates: the same code on the same weights, with less work around each matrix product."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MIN_BLOCKED_ROWS = 4
"""inputs from which on blocked weights are faster; with fewer, reading the weights takes all the time"""
BLOCK_SIZES = (192, 128, 96, 64, 48, 32)
"""outputs of a block: whole vector registers, and a block of a common width fits into the cache"""


def inference_copy(module: nn.Module, rows: int) -> Any:
    """The module for `rows` tokens at once, without gradients.

    Its parts and weights are plain attributes, its linear maps functions, and it calls no hooks: torch's look-up of each takes as
    long as a small operation. It shares the weights, but for `MIN_BLOCKED_ROWS` and more holds those of linear maps a second time; see `linear_function`.
    """
    if isinstance(module, nn.ModuleList):
        return [inference_copy(part, rows) for part in module]
    if type(module) is nn.Linear:
        return linear_function(module.weight, module.bias, rows)
    clone = object.__new__(without_hooks(type(module)))
    parts = {name: inference_copy(part, rows) for name, part in module.named_children()}
    vars(clone).update(vars(module) | dict(module.named_parameters(recurse=False)) | parts)
    return clone


@cache
def without_hooks(module_class: type[nn.Module]) -> type[nn.Module]:
    """The class, whose call is `forward` at once."""
    return type(module_class.__name__, (module_class,), {"__call__": module_class.forward})


def linear_function(weight: Tensor, bias: Tensor | None, rows: int) -> Callable[[Tensor], Tensor]:
    """`F.linear` with these weights [outputs, inputs] for `rows` tokens at once.

    A product of few rows is slow on the CPU, for it rearranges all weights first. Where it pays they are rearranged once: into blocks
    [outputs / size, inputs, size], a copy."""
    outputs, inputs = weight.shape
    size = next((size for size in BLOCK_SIZES if outputs % size == 0), None)
    if rows < MIN_BLOCKED_ROWS or size is None or weight.device.type != "cpu" or weight.dtype != torch.float32:
        return partial(F.linear, weight=weight, bias=bias)
    blocks = weight.detach().view(-1, size, inputs).transpose(1, 2).contiguous()

    def blocked_linear(x: Tensor) -> Tensor:
        tokens = x.reshape(1, -1, inputs).expand(len(blocks), -1, -1)
        y = torch.bmm(tokens, blocks).transpose(0, 1).reshape(*x.shape[:-1], outputs)  # [..., outputs]
        return y if bias is None else y + bias

    return blocked_linear
