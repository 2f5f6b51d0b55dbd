"""Rotation: predict by how many quarter turns an image was rotated."""

from __future__ import annotations

import math

from torch import nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of
from caudex.views import all_four_rotations


class Rotation(Signal):
    """Predict by how many quarter turns an image was rotated.

    All four rotations of each image are in one batch.
    Source: Gidaris et al. 2018, equations 2 and 3.
    """

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), 4)

    def chance_loss(self):
        return math.log(4)

    def loss(self, trunk, batch):
        rotated, quarters = all_four_rotations(batch.images)  # [4B, C, H, W], [4B]
        logits = self.head(trunk(rotated).pooled)
        return SignalOutput(F.cross_entropy(logits, quarters), {"accuracy": accuracy(logits, quarters)})
