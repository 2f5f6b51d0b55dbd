"""Colorization: predict the colours of a greyscale image."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.collectives import mean_over_processes
from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput
from caudex.trunks import Decoder, channels_of
from caudex.views import ab_bins, decode_ab, encode_ab, grey_from_lightness, rgb_to_lab


class Colorization(Signal):
    """Predict the colour of each pixel of a greyscale image, by classification among bins.

    A pixel's target is spread over its five nearest bins of the ab plane; rare colours weigh more, by the
    frequencies of the bins so far. Classification, not regression: the mean of possible colours is grey.
    Source: Zhang et al. 2016, equations 2 to 4 and section 2.2. Raises CaudexError for a trunk of grey images.
    """

    def __init__(self, rebalance: float = 0.5):
        super().__init__()
        self.rebalance = rebalance
        self.register_buffer("bin_centres", ab_bins())  # [Q, 2]
        self.register_buffer("bin_frequencies", torch.full((len(self.bin_centres),), 1 / len(self.bin_centres)))

    def build(self, trunk):
        if channels_of(trunk) != 3:
            raise CaudexError("colorization cannot learn colours from grey images; give images in colour.")
        self.head = Decoder(trunk, len(self.bin_centres))

    def chance_loss(self):
        return math.log(len(self.bin_centres))

    def loss(self, trunk, batch):
        lab = rgb_to_lab(batch.images)
        logits = self.logits(trunk, lab[:, :1])  # [B, Q, h, w], coarser than the image
        colours = F.adaptive_avg_pool2d(lab[:, 1:], logits.shape[2:])
        nearest, weights = encode_ab(colours, self.bin_centres)  # [B, 5, h, w]
        if self.training:
            self.update_frequencies(nearest, weights)
        rarity = self.bin_weights()[nearest[:, 0]]  # [B, h, w], of the nearest bin
        log_probs = F.log_softmax(logits.movedim(1, -1), -1)  # [B, h, w, Q], as it lies in memory
        errors = -(log_probs.gather(-1, nearest.movedim(1, -1)) * weights.movedim(1, -1)).sum(-1)
        return SignalOutput((errors * rarity).mean(), {"ab_error": self.colour_error(logits, colours)})

    def logits(self, trunk, lightness: Tensor) -> Tensor:
        """[B, Q, h, w] of lightness [B, 1, H, W]; h and w are half of the image's: colours need no more detail."""
        features = trunk(grey_from_lightness(lightness))
        return self.head(features, tuple(-(-side // 2) for side in lightness.shape[2:]))

    @torch.no_grad()
    def decode_colours(self, logits: Tensor) -> Tensor:
        """Colours [B, 2, h, w]: the annealed mean (section 2.3)."""
        return decode_ab(logits, self.bin_centres)

    @torch.no_grad()
    def update_frequencies(self, nearest: Tensor, weights: Tensor) -> None:
        frequencies = self.bin_frequencies.new_zeros(len(self.bin_frequencies)).index_add_(
            0, nearest.flatten(), weights.flatten().type_as(self.bin_frequencies)
        )
        self.bin_frequencies.lerp_(mean_over_processes(frequencies / frequencies.sum()), 0.02)

    def bin_weights(self) -> Tensor:
        """[Q], with mean 1 over the colours so far (equation 4)."""
        weights = 1 / ((1 - self.rebalance) * self.bin_frequencies + self.rebalance / len(self.bin_frequencies))
        return weights / (self.bin_frequencies * weights).sum()

    @torch.no_grad()
    def colour_error(self, logits: Tensor, colours: Tensor) -> Tensor:
        """Squared distance from the true colours divided by that of grey: 1 for a grey image."""
        best = self.bin_centres[logits.argmax(1)].permute(
            0, 3, 1, 2
        )  # [B, 2, h, w]; the annealed mean costs too much here
        return (best - colours).square().mean() / colours.square().mean().clamp_min(1e-8)
