"""denoising: what was there before the noise?"""

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
class Denoising(Pretraining, System):
    """Unlabelled pictures alone: take noise away again (Vincent et al. 2008)."""

    crop: float = 0.6
    noise: float = 0.3
    """deviation of the noise on values in [0, 1]"""

    scales: ClassVar = {"tiny": {"steps": 30, "width": 8, "batch": 32}}
    statement: ClassVar = "taking noise away teaches features of what pictures show"

    def learner(self, facts: dict) -> Learner:
        return pretraining.learner(self, facts, self.joined({"denoising": signals.Denoising(self.noise)}, facts))

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
        inside(self, noise=(0.01, 2))


@torch.no_grad()
def show(model: Encoder, pictures: Tensor) -> dict[str, Tensor]:
    signal = model.signals["denoising"]
    noised = signal.noised(pictures)
    return {"picture": pictures, "with noise": noised, "cleaned": signal.clean(model.trunk, noised)}
