"""A trained classifier of images: a trunk with a `labels` head that predicts, is tested and exported."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from caudex.core.learner import Learner
from caudex.core.specs import ImageSpec
from caudex.data import ImageSet
from caudex.models.classifier import Classifier
from caudex.models.export import export_images
from caudex.models.image_predictor import ImagePredictor
from caudex.views import CORRUPTIONS, Draw, corrupt


class ImageClassifier(ImagePredictor, Classifier):
    """Images [B, C, H, W], uint8 or float in [0, 1], to probabilities [B, K].

    Logits are divided by `temperature`, a number that calibrates the confidences (Guo et al. 2017, section 4.2); it is 1 until a
    system fits it.
    """

    added_tensors = ("temperature",)

    def __init__(self, learner: Learner, spec: ImageSpec, encoder: nn.Module | None = None):
        super().__init__(learner, spec, encoder)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return (self.signals["labels"].logits(self.trunk, images) / self.temperature).softmax(1)

    def probabilities(self, images: ImageSet | Tensor, batch_size: int = 1000) -> Tensor:
        """[N, K], in eval mode, on clean images; calibrated."""
        (probabilities,) = self._map_batches(lambda batch: (self(batch),), images, (len(self.classes),), batch_size)
        return probabilities

    def logits(self, images: ImageSet | Tensor, batch_size: int = 1000) -> Tensor:
        """[N, K], in eval mode, on clean images; of any temperature."""
        logits = partial(self.signals["labels"].logits, self.trunk)
        return self._map_batches(lambda batch: (logits(batch),), images, (len(self.classes),), batch_size)[0]

    def features(self, images: ImageSet | Tensor, batch_size: int = 1000) -> Tensor:
        """[N, W]: what the heads are given, in eval mode, of clean images."""
        return self._map_batches(lambda batch: (self.trunk(batch).pooled,), images, (self.trunk.width,), batch_size)[0]

    def metrics(self, images: ImageSet) -> dict[str, float]:
        return {"accuracy": self.accuracy(images)}

    def accuracy(self, images: ImageSet) -> float:
        """Of the predictions for labelled images; NaN where there are none."""
        return (self.probabilities(images).argmax(1) == images.labels).float().mean().item()

    @torch.no_grad()
    def corruption_accuracies(self, images: ImageSet, seed: int = 0) -> list[dict]:
        """Accuracy by kind and severity (1 to 5) of corruption, on up to 2,000 of the images.

        After Hendrycks and Dietterich 2019, section 3.
        """
        self.eval()
        images = images.subsample(2000)
        device = next(self.parameters()).device
        table = []
        for kind in CORRUPTIONS:
            for severity in range(1, 6):
                correct = 0
                for rows in torch.arange(len(images)).split(1000):
                    corrupted = corrupt(images.fetch(rows), kind, severity, Draw(seed, severity, rows)).to(device)
                    correct += int((self(corrupted).argmax(1).cpu() == images.labels[rows]).sum())
                table.append({"corruption": kind, "severity": severity, "accuracy": correct / max(1, len(images))})
        return table

    def export(self, folder: Path) -> list[Path]:
        """model.onnx (images uint8 [N, C, H, W] to probabilities [N, K]), model.safetensors and classes.json."""
        return export_images(self, self.spec, folder, "probabilities")
