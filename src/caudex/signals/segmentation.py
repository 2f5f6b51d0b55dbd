"""Segmentation: predict the class of each pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.trunks import Decoder


class Segmentation(Signal):
    """Predict the class of each pixel.

    The loss is the cross-entropy with `batch.segments` [B, H, W]; the packaged scenes have 5 classes. The mean
    intersection over union leaves out classes that are absent from the batch.
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


def mean_iou(predictions: Tensor, segments: Tensor, classes: int) -> Tensor:
    """Intersection over union of predictions and segments int64 [B, H, W], the mean over classes that occur."""
    cells = (segments.long() * classes + predictions).flatten()  # of the confusion matrix
    confusion = torch.bincount(cells, minlength=classes**2).view(classes, classes)
    intersection = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - intersection  # [K]
    return (intersection / union.clamp_min(1)).sum() / (union > 0).sum()
