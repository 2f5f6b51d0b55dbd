"""Batches and learners on the devices and in the processes of Lightning Fabric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.source import Source


@contextmanager
def attached(learner: Learner, fabric, hardware: Hardware) -> Iterator[None]:
    """The learner's passes run on Fabric's devices and in its processes.

    One process in full precision needs no wrapping, which searches every batch for tensors to convert.
    """
    if fabric.world_size == 1 and (hardware.strategy, hardware.precision) == ("auto", "32-true"):
        learner.to(fabric.device)
    else:
        learner.attach(fabric.setup(learner), fabric.backward)
    try:
        yield
    finally:
        learner.attach(None, Tensor.backward)


def next_batches(sources: Mapping[str, Source], device: torch.device) -> dict[str, Any]:
    """One batch of each distinct source: two signals on the same source see the same batch."""
    batches: dict[int, Any] = {}
    for source in sources.values():
        if id(source) not in batches:
            batches[id(source)] = to_device(next(source), device)
    return {name: batches[id(source)] for name, source in sources.items()}


def to_device(batch: Any, device: torch.device) -> Any:
    """Tensors, and those in dicts and tuples, on the device."""
    if device.type == "cpu":
        return batch
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: to_device(part, device) for name, part in batch.items()}
    if isinstance(batch, tuple):
        parts = [to_device(part, device) for part in batch]
        return tuple(parts) if type(batch) is tuple else type(batch)(*parts)  # a NamedTuple
    return batch


def seed_device(seed: int, device: torch.device) -> None:
    """Of `device` alone: `torch.manual_seed` also queues the seed for every kind of device that is not there."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


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
