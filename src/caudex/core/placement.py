"""Batches and learners on the devices and in the processes of Lightning Fabric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.precision import computing_in, map_tensors
from caudex.core.source import Source


@contextmanager
def attached(learner: Learner, fabric, hardware: Hardware) -> Iterator[None]:
    """The learner's passes run on Fabric's devices, in its processes and in the hardware's precision."""
    learner.to(fabric.device)
    with computing_in(learner, hardware.precision, fabric.device.type):
        if fabric.world_size > 1 or hardware.strategy != "auto":  # else wrapping costs time and brings nothing
            learner.attach(fabric.setup(learner), fabric.backward)
        try:
            yield
        finally:
            learner.attach(None, Tensor.backward)


def next_batches(
    sources: Mapping[str, Source], device: torch.device, dtype: torch.dtype | None = None
) -> dict[str, Any]:
    """One batch of each distinct source: two signals on the same source see the same batch."""
    batches: dict[int, Any] = {}
    for source in sources.values():
        if id(source) not in batches:
            batches[id(source)] = to_device(next(source), device, dtype)
    return {name: batches[id(source)] for name, source in sources.items()}


def to_device(batch: Any, device: torch.device, dtype: torch.dtype | None = None) -> Any:
    """Tensors, and those in dicts and tuples, on the device; floats of the `dtype`, where one is given."""
    if device.type == "cpu" and dtype is None:
        return batch

    def place(tensor: Tensor) -> Tensor:
        return tensor.to(device, dtype if tensor.is_floating_point() else None, non_blocking=True)

    return map_tensors(batch, place)


def seed_device(seed: int, device: torch.device) -> None:
    """Of `device` alone: `torch.manual_seed` also queues the seed for every kind of device that is not there."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Numbers below 1e-38 count as 0: Adam's averages of the gradients of a dead ReLU fade into them, and make its step four
    times as slow on a processor."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def cuda_devices(device: torch.device) -> list[torch.device]:
    """Those whose generators `fork_rng` must save."""
    return [device] if device.type == "cuda" else []


def broadcast_first(fabric, *figures: float) -> list[float]:
    """The main process's figures in all: clocks differ, and all must stop at the same step."""
    if fabric.world_size == 1:
        return list(figures)
    shared = torch.tensor(figures, dtype=torch.float64, device=fabric.device)
    torch.distributed.broadcast(shared, 0)
    return shared.tolist()
