"""jigsaw: in which order do the tiles belong?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex import pretraining, signals
from caudex.claim import Claim
from caudex.encoder import Encoder
from caudex.learner import Learner
from caudex.pretraining import Pretraining
from caudex.run import Run
from caudex.signals.jigsaw import grid_for
from caudex.system import System, inside


@dataclass
class Jigsaw(Pretraining, System):
    """Unlabelled pictures alone: put shuffled tiles back in order (Noroozi and Favaro 2016)."""

    batch: int = 64
    crop: float = 0.6
    grid: int = 0
    """tiles along each side, 2 or 3; 0 chooses by the size of the pictures"""
    orders: int = 0
    """orders to tell apart; 0 is 100, or all 24 of a 2 x 2 grid"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 8, "batch": 16},
        "paper": {
            "data": "imagenet/", "size": 225, "batch": 256, "steps": 350_000, "width": 64, "depth": 8, "orders": 1000,
            "lr": 0.01, "decay": 5e-4,
        },
    }  # fmt: skip
    statement: ClassVar = "putting tiles back teaches features of what pictures show"

    def learner(self, facts: dict) -> Learner:
        grid = self.grid or grid_for(min(facts["shape"][1:]))
        return pretraining.learner(self, facts, {"jigsaw": signals.Jigsaw(grid, self.orders)} | self.further(facts))

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
        inside(self, grid=(0, 3), orders=(0, 5000))
