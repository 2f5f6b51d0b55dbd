"""Segmentation: what does each pixel show?"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.trunks import Decoder


class Segmentation(Signal):
    """What does each pixel show? Tell the class of every pixel.

    The loss is the cross-entropy with `batch.segments` [B, H, W]; the packaged scenes have 5 classes. The mean
    intersection over union leaves out classes that are nowhere in the batch.
    Source: Long et al. 2015, section 4; the metrics, section 5.
    """

    needs = "scenes"

    def __init__(self, classes: int = 5):
        super().__init__()
        self.classes = classes

    def build(self, trunk):
        self.head = Decoder(trunk, self.classes, skips=True)

    def chance_loss(self):
        return math.log(self.classes)

    def logits(self, trunk, images: Tensor) -> Tensor:
        """[B, K, H, W] from images [B, C, H, W]."""
        return self.head(trunk(images), images.shape[2:])

    def loss(self, trunk, batch):
        logits = self.logits(trunk, batch.images)
        metrics = {
            "accuracy": accuracy(logits.detach(), batch.segments),
            "mean_iou": mean_iou(logits.detach().argmax(1), batch.segments, self.classes),
        }
        return SignalOutput(F.cross_entropy(logits, batch.segments), metrics)


def mean_iou(told: Tensor, segments: Tensor, classes: int) -> Tensor:
    """Of the pixels that are or are told to be of a class, the share that are both; the mean over classes seen."""
    pairs = torch.bincount((segments.long() * classes + told).flatten(), minlength=classes**2).view(classes, classes)
    both = pairs.diagonal()
    either = pairs.sum(0) + pairs.sum(1) - both  # [K]
    return (both / either.clamp_min(1)).sum() / (either > 0).sum()
