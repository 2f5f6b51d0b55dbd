"""Depth: predict the distance of each pixel."""

from __future__ import annotations

from torch import Tensor

from caudex.core.collectives import mean_over_processes
from caudex.core.signal import Signal, SignalOutput
from caudex.trunks import Decoder

SCALE_LAMBDA = (
    0.5  # lambda of the equation: at 1 only ratios of depths count, at 0 a scale that is wrong counts in full
)


class Depth(Signal):
    """Predict the distance of each pixel.

    The loss is the squared error of the logarithm of `batch.depth` [B, H, W], in metres; an error that all pixels of an
    image share, a wrong scale, counts half. It is divided by that of the batch's mean logarithm.
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
        predictions, targets = self.log_depth(trunk, batch.images), batch.depth.log()
        baseline = scale_invariant_error(mean_over_processes(targets.mean()), targets)
        baseline = mean_over_processes(baseline).clamp_min(1e-8)
        metrics = {"relative_error": relative_error(predictions.detach().exp(), batch.depth)}
        return SignalOutput(scale_invariant_error(predictions, targets) / baseline, metrics)


def scale_invariant_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Equation 4, the mean over images, of logarithms [B, H, W]."""
    errors = (predictions - targets).flatten(1)
    return (errors.square().mean(1) - SCALE_LAMBDA * errors.mean(1).square()).mean()


def relative_error(predictions: Tensor, depth: Tensor) -> Tensor:
    """Mean of |prediction - depth| / depth."""
    return ((predictions - depth).abs() / depth).mean()
