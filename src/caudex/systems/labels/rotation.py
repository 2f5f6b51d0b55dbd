"""rotation: which way up is the picture?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex import pretraining, signals
from caudex.claim import Claim
from caudex.encoder import Encoder
from caudex.learner import Learner
from caudex.pretraining import Pretraining
from caudex.run import Run
from caudex.system import System


@dataclass
class Rotation(Pretraining, System):
    """Unlabelled pictures alone: tell by how many quarters each was turned (Gidaris et al. 2018)."""

    batch: int = 32
    """pictures a step; each stands in it four times"""
    crop: float = 0.6

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 8, "batch": 16},
        "paper": {
            "data": "imagenet/", "size": 224, "batch": 192, "steps": 200_000, "width": 64, "depth": 8, "lr": 0.01,
            "decay": 5e-4,
        },
    }  # fmt: skip
    statement: ClassVar = "telling which way up pictures are teaches features of what they show"

    def learner(self, facts: dict) -> Learner:
        return pretraining.learner(self, facts, {"rotation": signals.Rotation()} | self.further(facts))

    def train(self, run: Run) -> Encoder:
        return pretraining.train(self, run)

    def model(self, facts: dict) -> Encoder:
        return Encoder(self.learner(facts), facts)

    def claim(self, run: Run) -> Claim:
        return pretraining.claim(self, run)

    def warn(self, results: dict) -> list[str]:
        return pretraining.warn(results)

    def check(self) -> None:
        super().check()
        pretraining.check(self)
