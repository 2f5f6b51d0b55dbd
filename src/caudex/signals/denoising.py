"""Denoising: what was there before the noise?"""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.core.signal import MIN_SQUARED_ERROR, Signal, SignalOutput
from caudex.trunks import Decoder, channels_of


class Denoising(Signal):
    """What was there before the noise? Take Gaussian noise away again.

    The noise has deviation `std`, and what leaves [0, 1] is cut off. The error is 1 for one who leaves the noise as it
    is. Source: Vincent et al. 2008, equation 5, with a squared error.
    """

    def __init__(self, std: float = 0.3):
        super().__init__()
        self.std = std

    def build(self, trunk):
        self.head = Decoder(trunk, channels_of(trunk))

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        noised = self.noised(batch.images)
        left = (noised - batch.images).square().mean().clamp_min(MIN_SQUARED_ERROR)
        return SignalOutput((self.clean(trunk, noised) - batch.images).square().mean() / left)

    def noised(self, images: Tensor) -> Tensor:
        return (images + self.std * torch.randn_like(images)).clamp(0, 1)

    def clean(self, trunk, noised: Tensor) -> Tensor:
        """Images without their noise, [B, C, H, W]."""
        return self.head(trunk(noised), noised.shape[2:])
