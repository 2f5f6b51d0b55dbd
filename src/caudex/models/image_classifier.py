"""A trained classifier of images: a trunk with a `labels` head that predicts, is tested and exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from caudex.core.learner import CachedTrunk, Learner
from caudex.core.specs import ImageSpec
from caudex.data import ImageSet
from caudex.data.images.decode import ImageFormat
from caudex.models.classifier import Classifier, name_likeliest
from caudex.models.encoder import fetch_images
from caudex.models.export import export_images
from caudex.signals import Labels
from caudex.views import CORRUPTIONS, Draw, corrupt


class ImageClassifier(Classifier):
    """Images [B, C, H, W], uint8 or float in [0, 1], to probabilities [B, K].

    Uses the averaged weights where the learner has them. Logits are divided by `temperature`, a number that calibrates the
    confidences (Guo et al. 2017, section 4.2); it is 1 until a system fits it. `columns` are the classes of further columns
    of labels that were learned (`--also labels:COLUMN`), by name.
    """

    added_tensors = ("temperature",)

    def __init__(self, learner: Learner, spec: ImageSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.spec, self.classes = spec, spec.classes
        self.image_format = ImageFormat.from_spec(spec)
        self.register_buffer("temperature", torch.ones(()))
        self._heads = {
            signal.column: name for name, signal in self.signals.items() if isinstance(signal, Labels) and signal.column
        }
        self.columns = {column: spec.columns[column] for column in self._heads}

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

    def column_probabilities(self, images: ImageSet | Tensor, batch_size: int = 1000) -> dict[str, Tensor]:
        """[N, K] of each of `columns`, in eval mode, on clean images; not calibrated. One pass through the trunk."""

        def classify(batch: Tensor) -> list[Tensor]:
            trunk = CachedTrunk(self.trunk)
            return [self.signals[name].logits(trunk, batch).softmax(1) for name in self._heads.values()]

        widths = [len(classes) for classes in self.columns.values()]
        return dict(zip(self.columns, self._map_batches(classify, images, widths, batch_size))) if widths else {}

    def predict_columns(self, images: ImageSet | Tensor) -> dict[str, list[tuple[str, float]]]:
        """(class, confidence) for each image, of each of `columns`."""
        return {
            name: name_likeliest(probabilities, self.columns[name])
            for name, probabilities in self.column_probabilities(images).items()
        }

    @torch.no_grad()
    def _map_batches(
        self,
        output: Callable[[Tensor], Sequence[Tensor]],
        images: ImageSet | Tensor,
        widths: Sequence[int],
        batch_size: int,
    ) -> list[Tensor]:
        """What `output` makes of each batch, on the processor: [N, width] for each of the `widths`."""
        self.eval()
        device = next(self.parameters()).device
        batches = torch.arange(len(images)).split(batch_size)
        parts = [[x.cpu() for x in output(fetch_images(images, rows).to(device))] for rows in batches]
        return [torch.cat(column) for column in zip(*parts)] if parts else [torch.empty(0, width) for width in widths]

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
