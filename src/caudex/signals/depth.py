"""Depth: how far away is what each pixel shows?"""

from __future__ import annotations

from torch import Tensor

from caudex.core.signal import Signal, SignalOutput
from caudex.trunks import Decoder

ABSOLUTE = 0.5  # lambda of the equation: at 1 only ratios of depths count, at 0 a scale that is wrong counts in full


class Depth(Signal):
    """How far away is what each pixel shows?

    The loss is the squared error of the logarithm of `batch.depth` [B, H, W], in metres; an error that all pixels of a
    image share, a wrong scale, counts half. It is 1 for one who says the batch's mean logarithm everywhere.
    Source: Eigen et al. 2014, equation 4.
    """

    needs = "scenes"

    def build(self, trunk):
        self.head = Decoder(trunk, 1, skips=True)

    def chance_loss(self):
        return 1.0

    def log_depth(self, trunk, images: Tensor) -> Tensor:
        """Logarithms of metres [B, H, W] from images [B, C, H, W]."""
        return self.head(trunk(images), images.shape[2:]).squeeze(1)

    def loss(self, trunk, batch):
        told, true = self.log_depth(trunk, batch.images), batch.depth.log()
        left = scale_invariant(true.mean(), true).clamp_min(1e-8)
        metrics = {"relative_error": relative_error(told.detach().exp(), batch.depth)}
        return SignalOutput(scale_invariant(told, true) / left, metrics)


def scale_invariant(told: Tensor, true: Tensor) -> Tensor:
    """Equation 4, the mean over images, of logarithms [B, H, W]."""
    errors = (told - true).flatten(1)
    return (errors.square().mean(1) - ABSOLUTE * errors.mean(1).square()).mean()


def relative_error(told: Tensor, depth: Tensor) -> Tensor:
    """Mean of |told - depth| / depth."""
    return ((told - depth).abs() / depth).mean()
