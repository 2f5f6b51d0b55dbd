"""denoising: what was there before the noise?"""

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
class Denoising(Pretraining):
    """Unlabelled images alone: take noise away again (Vincent et al. 2008)."""

    crop: float = 0.6
    noise: float = 0.3
    """standard deviation of the noise on values in [0, 1]"""

    scales: ClassVar = {"tiny": {"steps": 30, "width": 8, "batch": 32}}
    statement: ClassVar = "taking noise away teaches features of what images show"

    def signals(self, spec: ImageSpec) -> dict[str, Signal]:
        return {"denoising": signals.Denoising(self.noise)}

    @torch.no_grad()
    def show(self, model: Encoder, images: Tensor) -> dict[str, Tensor]:
        signal = model.signals["denoising"]
        noised = signal.add_noise(images)
        return {"image": images, "with noise": noised, "cleaned": signal.denoise(model.trunk, noised)}

    def check(self) -> None:
        super().check()
        check_range(self, noise=(0.01, 2))
