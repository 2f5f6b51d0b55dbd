"""Where and how a run computes: Lightning Fabric brings devices, precision and processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

from caudex.core.errors import CaudexError


@dataclass(frozen=True)
class Hardware:
    """Where and how a run computes; handed to Lightning Fabric. Figures do not depend on it, up to rounding."""

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
    price: float = 0.0
    """money an hour of this machine costs, for the account of each run"""

    def check(self) -> None:
        """Raises CaudexError for what no machine can do; whether this one can, Fabric says."""
        for name, lowest in {"devices": 1, "nodes": 1, "threads": 0, "save_seconds": 0, "price": 0}.items():
            if not getattr(self, name) >= lowest:
                flag = name.replace("_", "-")
                raise CaudexError(f"--{flag} {getattr(self, name):g} is out of range; it must be at least {lowest}.")
        if self.strategy.endswith(("spawn", "fork", "notebook")):
            raise CaudexError(f"--strategy {self.strategy} needs a function to start from; use ddp.")


def memory() -> int:
    """Bytes of this machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available() -> int:
    """Bytes of memory that are free, or this machine's where the system does not say."""
    try:
        with open("/proc/meminfo") as lines:  # noqa: PTH123
            return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return memory()


def affordable(flag: str, value: int, size: float) -> None:
    """Raises CaudexError where the `size` bytes that a setting's value asks for are not free."""
    free = available()
    if size > 0.9 * free:
        raise CaudexError(
            f"{flag} {value:,} needs {size / 2**30:,.1f} GiB of memory, {free / 2**30:,.1f} are free; give at most "
            f"{int(value * 0.8 * free / size):,}."
        )


@cache
def make_fabric(hardware: Hardware) -> Any:
    """Device, precision and processes, once for the same hardware, its further processes started."""
    fabric = fabric_of(hardware)
    fabric.launch()
    return fabric


@cache
def fabric_of(hardware: Hardware) -> Any:
    """Raises CaudexError where this machine has no such device, precision or strategy. Slow to import."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", module="lightning")
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import DDPStrategy

    for part in ("fabric", "pytorch"):  # their import sets another level
        logging.getLogger(f"lightning.{part}").setLevel(logging.ERROR)
    strategy: Any = hardware.strategy
    if hardware.devices * hardware.nodes > 1 and strategy in ("auto", "ddp"):
        strategy = DDPStrategy(find_unused_parameters=True)  # a signal may have nothing to say this step
    try:
        fabric = Fabric(
            accelerator=hardware.device,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            strategy=strategy,
            precision=hardware.precision,
        )
    except Exception as error:  # Fabric raises nearly every kind
        asked = ("device", "devices", "nodes", "strategy", "precision")
        given = {name: getattr(hardware, name) for name in asked}
        flags = [f"--{name} {value}" for name, value in given.items() if value != getattr(Hardware, name)]
        reason = str(error).split(". ")[0].rstrip(".")
        raise CaudexError(f"this machine cannot compute with {' '.join(flags)}: {reason}.") from None
    cores = os.cpu_count() or 1
    if fabric.device.type == "cpu" and hardware.devices > 2 * cores:
        raise CaudexError(
            f"--devices {hardware.devices} are too many processes for {cores} cores; give at most {cores}."
        )
    return fabric
