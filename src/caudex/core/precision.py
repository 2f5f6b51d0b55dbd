"""The precision in which a learner computes: 32-true, 64-true, or bf16-mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.trunk import Trunk


def batch_dtype(precision: str) -> torch.dtype | None:
    """What floats of a batch are converted to; None: they stay as they are."""
    return torch.float64 if precision == "64-true" else None


def computing_in(learner: nn.Module, precision: str, device_type: str = "cpu") -> AbstractContextManager[None]:
    """Within it the learner computes in that precision, whoever calls its networks: a step, an evaluation, or a source that
    acts. Afterwards it computes in float32 again."""
    if precision == "bf16-mixed":
        return _mixed(learner, device_type)
    return _double(learner) if precision == "64-true" else nullcontext()


@contextmanager
def _mixed(learner: nn.Module, device_type: str) -> Iterator[None]:
    """Trunks, and the layers of heads, compute in bfloat16 and return float32: losses, targets and returns are not rounded."""
    contexts: list[AbstractContextManager] = []

    def enter(module, args) -> None:
        contexts.append(torch.autocast(device_type, torch.bfloat16))
        contexts[-1].__enter__()

    def leave(module, args, output):
        contexts.pop().__exit__(None, None, None)
        return map_tensors(output, lambda tensor: tensor.float() if tensor.dtype == torch.bfloat16 else tensor)

    handles = []
    for network in networks_in(learner):
        handles.append(network.register_forward_pre_hook(enter))
        handles.append(network.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _double(learner: nn.Module) -> Iterator[None]:
    tensors = [tensor for tensor in chain(learner.parameters(), learner.buffers()) if tensor.dtype == torch.float32]

    def convert_inputs(module, args):
        return map_tensors(args, lambda tensor: tensor.double() if tensor.dtype == torch.float32 else tensor)

    handles = [network.register_forward_pre_hook(convert_inputs) for network in networks_in(learner)]
    for tensor in tensors:
        tensor.data = tensor.data.double()
    try:
        yield
    finally:
        for tensor in tensors:
            tensor.grad = None
            tensor.data = tensor.data.float()
        for handle in handles:
            handle.remove()


def networks_in(module: nn.Module) -> Iterator[nn.Module]:
    """The trunks within a module, those of shadows too, and the layers of all else; each once."""
    waiting, visited = [module], set()
    while waiting:
        part = waiting.pop()
        if part in visited:
            continue
        visited.add(part)
        children = [] if isinstance(part, Trunk) else list(part.children())
        if children:
            waiting += children
        else:
            yield part


def map_tensors(batch: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """`function` of each tensor, also of those in dicts and tuples."""
    if isinstance(batch, Tensor):
        return function(batch)
    if isinstance(batch, dict):
        return {name: map_tensors(part, function) for name, part in batch.items()}
    if isinstance(batch, tuple):
        parts = [map_tensors(part, function) for part in batch]
        return tuple(parts) if type(batch) is tuple else type(batch)(*parts)  # a NamedTuple
    return batch
