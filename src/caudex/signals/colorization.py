"""Colorization: which colours had the grey image?"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput
from caudex.trunks import Decoder, channels_of
from caudex.views import bins, decode, encode, grey_of, to_lab


class Colorization(Signal):
    """Which colours had the grey image? Tell the colour of each pixel from lightness alone, as a choice among bins.

    A pixel's target is spread over its five nearest bins of the ab plane; rare colours weigh more, by how often the
    bins were seen so far. A choice, not a mean, for the mean of possible colours is grey.
    Source: Zhang et al. 2016, equations 2 to 4 and section 2.2. Raises CaudexError for a trunk of grey images.
    """

    def __init__(self, rebalance: float = 0.5):
        super().__init__()
        self.rebalance = rebalance
        self.register_buffer("centres", bins())  # [Q, 2]
        self.register_buffer("seen", torch.full((len(self.centres),), 1 / len(self.centres)))  # shares of the bins

    def build(self, trunk):
        if channels_of(trunk) != 3:
            raise CaudexError("colorization cannot learn colours from grey images; give images in colour.")
        self.head = Decoder(trunk, len(self.centres))

    def chance_loss(self):
        return math.log(len(self.centres))

    def loss(self, trunk, batch):
        lab = to_lab(batch.images)
        logits = self.logits(trunk, lab[:, :1])  # [B, Q, h, w], coarser than the image
        colours = F.adaptive_avg_pool2d(lab[:, 1:], logits.shape[2:])
        nearest, weights = encode(colours, self.centres)  # [B, 5, h, w]
        if self.training:
            self.remember(nearest, weights)
        rare = self.rarity()[nearest[:, 0]]  # [B, h, w], of the nearest bin
        told = F.log_softmax(logits.movedim(1, -1), -1)  # [B, h, w, Q], as it lies in memory
        errors = -(told.gather(-1, nearest.movedim(1, -1)) * weights.movedim(1, -1)).sum(-1)
        return SignalOutput((errors * rare).mean(), {"error in ab": self.error(logits, colours)})

    def logits(self, trunk, lightness: Tensor) -> Tensor:
        """[B, Q, h, w] of lightness [B, 1, H, W]; h and w are half of the image's: colours need no more detail."""
        features = trunk(grey_of(lightness))
        return self.head(features, tuple(-(-side // 2) for side in lightness.shape[2:]))

    @torch.no_grad()
    def colours(self, logits: Tensor) -> Tensor:
        """Colours [B, 2, h, w]: the annealed mean (section 2.3)."""
        return decode(logits, self.centres)

    @torch.no_grad()
    def remember(self, nearest: Tensor, weights: Tensor) -> None:
        shares = self.seen.new_zeros(len(self.seen)).index_add_(0, nearest.flatten(), weights.flatten())
        self.seen.lerp_(shares / shares.sum(), 0.02)

    def rarity(self) -> Tensor:
        """[Q] weights with mean 1 over the colours that are seen (equation 4)."""
        weights = 1 / ((1 - self.rebalance) * self.seen + self.rebalance / len(self.seen))
        return weights / (self.seen * weights).sum()

    @torch.no_grad()
    def error(self, logits: Tensor, colours: Tensor) -> Tensor:
        """Squared distance from the true colours over that of grey: 1 for one who leaves the image grey."""
        best = self.centres[logits.argmax(1)].permute(0, 3, 1, 2)  # [B, 2, h, w]; the annealed mean costs too much here
        return (best - colours).square().mean() / colours.square().mean().clamp_min(1e-8)
