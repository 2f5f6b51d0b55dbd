"""inpainting: what stands in the hole?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from caudex import signals
from caudex.core.ranges import check_range
from caudex.core.signal import Signal
from caudex.core.specs import ImageSpec
from caudex.models.encoder import Encoder
from caudex.systems.pretraining.shared import Pretraining


@dataclass
class Inpainting(Pretraining):
    """Unlabelled images alone: fill in what was taken out (Pathak et al. 2016), a context encoder.

    It makes the best images; of large ones, others found, the weakest features for classes.
    laptop: digits, 5 seeds: linear probe 98.4 +- 0.4% (random trunk 87.6 +- 1.4).
    """

    crop: float = 0.6
    mask: str = "random"
    """centre: the middle square; random: a rectangle of up to a quarter anywhere"""
    adversarial: float = 0.0
    """weight of a critic that makes fills sharp; 0.001 in the paper"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 8, "batch": 32},
        "paper": {
            "data": "imagenet/", "size": 128, "batch": 128, "steps": 100_000, "trunk": "resnet50", "width": 64, "mask": "centre",
            "adversarial": 0.001, "lr": 2e-4,
        },
    }  # fmt: skip
    statement: ClassVar = "filling holes teaches features of what images show"

    def signals(self, spec: ImageSpec) -> dict[str, Signal]:
        return {"inpainting": signals.Inpainting(self.mask, self.adversarial)}

    @torch.no_grad()
    def show(self, model: Encoder, images: Tensor) -> dict[str, Tensor]:
        signal = model.signals["inpainting"]
        hole = signal.sample_hole(images)
        holed = torch.where(hole, model.trunk.standardise.mean, images)
        filled = torch.where(hole, signal.fill(model.trunk, holed), images)
        return {"image": images, "with a hole": holed, "filled": filled}

    def check(self) -> None:
        super().check()
        check_range(self, adversarial=(0, 1))
