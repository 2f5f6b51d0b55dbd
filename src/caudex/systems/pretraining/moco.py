"""moco: contrast against a queue of keys from a momentum encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex.core.errors import CaudexError
from caudex.core.ranges import check_range
from caudex.core.signal import Signal
from caudex.core.specs import ImageSpec
from caudex.signals import Contrast
from caudex.systems.pretraining.shared import Pretraining


@dataclass
class MoCo(Pretraining):
    """Unlabelled images alone: contrast against a queue of keys from a momentum encoder (He et al. 2020).

    The negatives do not come from the batch, so small batches will do.
    Fashion-MNIST, four minutes, 5 seeds: linear probe 85.7 +- 0.6% (random trunk 76.0 +- 1.4); docs/moco.md.
    """

    batch: int = 64
    queue: int = 1024
    """keys to tell the partner from; a multiple of the batch"""
    momentum: float = 0.99
    """decay of the slow copy that makes the keys"""
    temperature: float = 0.2
    """of the similarities; the first version's is 0.07"""
    hidden: int = 128
    """units of the head's hidden layer; 0 is the first version's linear head"""
    dimensions: int = 64
    """of the head's output"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 8, "batch": 32, "queue": 128},
        "paper": {
            "data": "imagenet/", "size": 224, "batch": 256, "steps": 1_000_000, "trunk": "resnet50", "optimizer": "sgd", "width": 64, "queue": 65_536,
            "momentum": 0.999, "hidden": 2048, "dimensions": 128, "crop": 0.2, "colour": 0.5, "lr": 0.03, "decay": 1e-4,
        },
    }  # fmt: skip
    statement: ClassVar = "pairs of views and a queue of older keys teach features with small batches"

    def signals(self, spec: ImageSpec) -> dict[str, Signal]:
        contrast = Contrast(self.dimensions, self.hidden, self.temperature, self.queue, self.momentum)
        return {"contrast": contrast}

    def check(self) -> None:
        super().check()
        check_range(
            self,
            temperature=(0.01, 10),
            momentum=(0, 1),
            hidden=(0, 65_536),
            dimensions=(2, 65_536),
            queue=(self.batch, 1 << 24),
        )
        if self.queue % self.batch:
            near = self.queue // self.batch * self.batch
            raise CaudexError(f"--queue {self.queue} is no multiple of --batch {self.batch}; try --queue {near}.")
