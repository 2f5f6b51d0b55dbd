"""simclr: two views of an image belong together, views of others apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex.core.ranges import check_range
from caudex.core.signal import Signal
from caudex.core.specs import ImageSpec
from caudex.signals import Contrast
from caudex.systems.pretraining.shared import Pretraining


@dataclass
class SimCLR(Pretraining):
    """Unlabelled images alone: two views of one belong together, all others apart (Chen et al. 2020).

    Trains a trunk whose features suit few labels; go on with `caudex probe RUN`, or `caudex train supervised
    --start RUN`.
    laptop: digits, 5 seeds: linear probe 98.7 +- 0.5% (random trunk 87.6 +- 1.4); docs/simclr.md has Fashion-MNIST.
    """

    temperature: float = 0.2
    """of the similarities; lower makes near negatives count more"""
    hidden: int = 128
    """units of the head's hidden layer"""
    dimensions: int = 64
    """of the head's output"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 8, "batch": 32},
        "paper": {
            "data": "imagenet/", "size": 224, "batch": 4096, "steps": 312_500, "trunk": "resnet50", "width": 64, "temperature": 0.1,
            "hidden": 2048, "dimensions": 128,
            "crop": 0.08, "colour": 1.0, "lr": 4.8, "decay": 1e-6, "optimizer": "lars",
        },
    }  # fmt: skip
    statement: ClassVar = "pairs of views teach features of images that nobody labelled"

    def signals(self, spec: ImageSpec) -> dict[str, Signal]:
        return {"contrast": Contrast(self.dimensions, self.hidden, self.temperature)}

    def check(self) -> None:
        super().check()
        check_range(self, temperature=(0.01, 10), hidden=(1, 65_536), dimensions=(2, 65_536))
