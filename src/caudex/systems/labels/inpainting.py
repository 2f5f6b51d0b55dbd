"""inpainting: what stands in the hole?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from caudex import pretraining, signals
from caudex.claim import Claim
from caudex.encoder import Encoder
from caudex.learner import Learner
from caudex.pretraining import Pretraining
from caudex.run import Run
from caudex.system import System, inside


@dataclass
class Inpainting(Pretraining, System):
    """Unlabelled pictures alone: fill in what was taken out (Pathak et al. 2016), a context encoder.

    It makes the best pictures and the weakest features for classes.
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
    statement: ClassVar = "filling holes teaches features of what pictures show"

    def learner(self, facts: dict) -> Learner:
        signal = signals.Inpainting(self.mask, self.adversarial)
        return pretraining.learner(self, facts, self.joined({"inpainting": signal}, facts))

    def train(self, run: Run) -> Encoder:
        return pretraining.train(self, run, show)

    def model(self, facts: dict) -> Encoder:
        return Encoder(self.learner(facts), facts)

    def claim(self, run: Run) -> Claim:
        return pretraining.claim(self, run)

    def warn(self, results: dict) -> list[str]:
        return pretraining.warn(results)

    def check(self) -> None:
        super().check()
        pretraining.check(self)
        inside(self, adversarial=(0, 1))


@torch.no_grad()
def show(model: Encoder, pictures: Tensor) -> dict[str, Tensor]:
    signal = model.signals["inpainting"]
    hole = signal.hole(pictures)
    holed = torch.where(hole, model.trunk.standardise.mean, pictures)
    filled = torch.where(hole, signal.fill(model.trunk, holed), pictures)
    return {"picture": pictures, "with a hole": holed, "filled": filled}
