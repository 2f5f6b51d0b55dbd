"""Denoising: predict images from noisy ones."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.core.collectives import mean_over_processes
from caudex.core.signal import MIN_SQUARED_ERROR, Signal, SignalOutput
from caudex.trunks import Decoder, channels_of


class Denoising(Signal):
    """Predict an image from the same with Gaussian noise.

    The noise has standard deviation `std`, and values are clipped to [0, 1]. The error is divided by that of the noisy
    image. Source: Vincent et al. 2008, equation 5, with a squared error.
    """

    def __init__(self, std: float = 0.3):
        super().__init__()
        self.std = std

    def build(self, trunk):
        self.head = Decoder(trunk, channels_of(trunk))

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        noisy = self.add_noise(batch.images)
        noise_error = mean_over_processes((noisy - batch.images).square().mean()).clamp_min(MIN_SQUARED_ERROR)
        return SignalOutput((self.denoise(trunk, noisy) - batch.images).square().mean() / noise_error)

    def add_noise(self, images: Tensor) -> Tensor:
        return (images + self.std * torch.randn_like(images)).clamp(0, 1)

    def denoise(self, trunk, noisy: Tensor) -> Tensor:
        """Images without their noise, [B, C, H, W]."""
        return self.head(trunk(noisy), noisy.shape[2:])
