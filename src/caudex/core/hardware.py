"""Where and how a run computes: Lightning Fabric brings devices and processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from caudex.core.errors import CaudexError
from caudex.core.ranges import check_range

PRECISIONS = ("32-true", "64-true", "bf16-mixed")
NETWORK_LOGS = ("wandb", "mlflow")
"""packages that may send metrics to a server"""
LOGS = ("tensorboard", *NETWORK_LOGS, "none")
RANGES = {
    "devices": (1, 65536), "nodes": (1, 65536), "threads": (0, 1024), "save_seconds": (0, 1e9), "keep": (1, 1000),
    "price": (0, 1e9),
}  # fmt: skip
"""the lowest and the highest; torch stops for minutes where threads are far more than the machine's"""


@dataclass(frozen=True)
class Hardware:
    """Where and how a run computes; Lightning Fabric brings devices and processes. Figures do not depend on it, up to rounding."""

    device: str = "auto"
    """cpu, cuda, mps or auto"""
    devices: int = 1
    """processes with a device each; the batch is shared out among them"""
    nodes: int = 1
    """machines"""
    strategy: str = "auto"
    """Fabric's way to share the work out: auto, ddp, fsdp, ..."""
    precision: str = "32-true"
    """32-true, 64-true or bf16-mixed (bfloat16 is slow on most CPUs)"""
    threads: int = 0
    """processor threads of each process; 0 leaves it to torch"""
    save_seconds: float = 30.0
    """a checkpoint is due after so many seconds"""
    keep: int = 1
    """how many checkpoints stay, the newest; `resume` goes on from the last, or from the one before if you delete it"""
    log: str = "tensorboard"
    """where metrics go besides metrics.jsonl: tensorboard (in the run's folder), wandb or mlflow (set up by their own variables), or none"""
    price: float = 0.0
    """money an hour of this machine costs, for the account of each run"""

    def check(self) -> None:
        """Raises CaudexError for what no machine can do; whether this one can, Fabric says."""
        check_range(self, **RANGES)
        if self.precision not in PRECISIONS:
            raise CaudexError(
                f"--precision {self.precision} is unknown{_why_not(self.precision)}; choose {', '.join(PRECISIONS)}."
            )
        check_log(self.log)
        if self.strategy.endswith(("spawn", "fork", "notebook")):
            raise CaudexError(f"--strategy {self.strategy} needs a function to start from; use ddp.")


def check_log(log: str) -> None:
    """Raises CaudexError for a logger that is unknown or whose package is missing."""
    if log not in LOGS:
        raise CaudexError(f"--log {log} is unknown; choose {', '.join(LOGS)}.")
    if log in NETWORK_LOGS and find_spec(log) is None:
        raise CaudexError(f"--log {log} needs the package {log}: pip install 'caudex[{log}]'.")


def _why_not(precision: str) -> str:
    """What speaks against a precision that Fabric knows."""
    if precision == "16-mixed":
        return " here: its gradients vanish unless losses are scaled, those of bf16-mixed do not"
    if precision in ("16-true", "bf16-true"):
        return " here: weights of 16 bits lose most steps of an optimiser, and all those of a slow shadow"
    return ""


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within it, torch computes with so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def total_memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> int:
    """Bytes of free memory, or all of this machine's where the system does not say."""
    try:
        with open("/proc/meminfo") as file:  # noqa: PTH123
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return total_memory()


def check_memory(flag: str, value: int, num_bytes: float) -> None:
    """Raises CaudexError where the `num_bytes` that a setting's value needs are not free."""
    free = available_memory()
    if num_bytes > 0.9 * free:
        raise CaudexError(
            f"{flag} {value:,} needs {num_bytes / 2**30:,.1f} GiB of memory, {free / 2**30:,.1f} are free; give at most "
            f"{int(value * 0.8 * free / num_bytes):,}."
        )


@cache
def launch_fabric(hardware: Hardware) -> Any:
    """The Fabric of this hardware, made once, with its processes started."""
    fabric = create_fabric(hardware)
    fabric.launch()
    return fabric


@cache
def create_fabric(hardware: Hardware) -> Any:
    """The Fabric of this hardware, without its processes; imports Lightning, which is slow.

    Raises CaudexError where this machine has no such device or strategy.
    """
    import logging
    import warnings

    warnings.filterwarnings("ignore", module="lightning_fabric")
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # the import sets another level
    strategy: Any = hardware.strategy
    if hardware.devices * hardware.nodes > 1 and strategy in ("auto", "ddp"):
        strategy = DDPStrategy(find_unused_parameters=True)  # a signal may have nothing to say this step
    try:
        fabric = Fabric(
            accelerator=hardware.device,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            strategy=strategy,
        )
    except Exception as error:  # Fabric raises nearly every kind
        names = ("device", "devices", "nodes", "strategy")
        settings = {name: getattr(hardware, name) for name in names}
        flags = [f"--{name} {value}" for name, value in settings.items() if value != getattr(Hardware, name)]
        message = str(error).split(". ")[0].rstrip(".")
        raise CaudexError(f"this machine cannot compute with {' '.join(flags)}: {message}.") from None
    cores = os.cpu_count() or 1
    if fabric.device.type == "cpu" and hardware.devices > 2 * cores:
        raise CaudexError(
            f"--devices {hardware.devices} are too many processes for {cores} cores; give at most {cores}."
        )
    return fabric
