"""colorization: which colours had the grey image?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex import signals
from caudex.core.ranges import check_range
from caudex.core.signal import Signal
from caudex.core.specs import ImageSpec
from caudex.models.encoder import Encoder
from caudex.systems.pretraining.shared import Pretraining
from caudex.views import grey_from_lightness, lab_to_rgb, rgb_to_lab


@dataclass
class Colorization(Pretraining):
    """Unlabelled images alone: tell the colours of grey ones (Zhang et al. 2016).

    It needs images in colour.
    """

    data: str = "patches"
    """patches (of two photographs), a folder of images in colour, an .npz, a .csv or hf:NAME"""
    crop: float = 0.6
    rebalance: float = 0.5
    """how much rare colours count: 1 is not at all, towards 0 is more"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 8, "batch": 32},
        "paper": {
            "data": "imagenet/", "size": 224, "batch": 40, "steps": 450_000, "trunk": "resnet50", "width": 64, "lr": 3e-5,
        },
    }  # fmt: skip
    statement: ClassVar = "telling colours teaches features of what images show"

    def signals(self, spec: ImageSpec) -> dict[str, Signal]:
        return {"colorization": signals.Colorization(self.rebalance)}

    @torch.no_grad()
    def show(self, model: Encoder, images: Tensor) -> dict[str, Tensor]:
        signal, lightness = model.signals["colorization"], rgb_to_lab(images)[:, :1]
        colours = signal.decode_colours(signal.logits(model.trunk, lightness))
        lab = torch.cat([lightness, F.interpolate(colours, images.shape[2:], mode="bilinear")], 1)
        return {"image": images, "what is seen": grey_from_lightness(lightness), "coloured": lab_to_rgb(lab)}

    def check(self) -> None:
        super().check()
        check_range(self, rebalance=(0.01, 1))
