"""What training for classes leaves: a trunk with a `labels` head that predicts, is tested and exported."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from caudex.core.learner import Learner
from caudex.core.specs import ImageSpec
from caudex.data import ImageSet
from caudex.models.export import export
from caudex.views import CORRUPTIONS, Draw, corrupt


class Classifier(nn.Module):
    """Images [B, C, H, W], uint8 or float in [0, 1], to probabilities [B, K].

    Uses the averaged weights where the learner keeps them.
    """

    def __init__(self, learner: Learner, spec: ImageSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.classes, self.shape = spec.classes, spec.shape

    def forward(self, images: Tensor) -> Tensor:
        return self.signals["labels"].logits(self.trunk, images).softmax(1)

    @torch.no_grad()
    def probabilities(self, images: ImageSet | Tensor, batch: int = 1000) -> Tensor:
        """[N, K], in eval mode, on clean images."""
        self.eval()
        fetch = images.fetch if isinstance(images, ImageSet) else images.__getitem__
        device = next(self.parameters()).device
        parts = [self(fetch(part).to(device)).cpu() for part in torch.arange(len(images)).split(batch)]
        return torch.cat(parts) if parts else torch.empty(0, len(self.classes))

    def predict(self, images: ImageSet | Tensor) -> list[tuple[str, float]]:
        """(class, confidence) for each image."""
        confidence, number = self.probabilities(images).max(1)
        return [(self.classes[k], c) for k, c in zip(number.tolist(), confidence.tolist())]

    def accuracy(self, images: ImageSet) -> float:
        """Share of the labelled images that are told rightly; NaN where there are none."""
        return (self.probabilities(images).argmax(1) == images.labels).float().mean().item()

    @torch.no_grad()
    def corrupted(self, images: ImageSet, seed: int = 0) -> list[dict]:
        """Accuracy by kind and severity (1 to 5) of corruption, on up to 2,000 of the images.

        After Hendrycks and Dietterich 2019, section 3.
        """
        self.eval()
        images = images.subsample(2000)
        device = next(self.parameters()).device
        rows = []
        for kind in CORRUPTIONS:
            for severity in range(1, 6):
                right = 0
                for part in torch.arange(len(images)).split(1000):
                    worse = corrupt(images.fetch(part), kind, severity, Draw(seed, severity, part)).to(device)
                    right += int((self(worse).argmax(1).cpu() == images.labels[part]).sum())
                rows.append({"corruption": kind, "severity": severity, "accuracy": right / max(1, len(images))})
        return rows

    def export(self, folder: Path) -> list[Path]:
        """model.onnx (images float [N, C, H, W] in [0, 1] to probabilities [N, K]) and model.safetensors."""
        return export(self, self.shape, folder, "probabilities")
