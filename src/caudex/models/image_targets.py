"""Models of images whose target is not one class: tags, or a number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score
from torch import Tensor

from caudex.data import ImageSet
from caudex.models.export import export_images
from caudex.models.image_predictor import ImagePredictor

THRESHOLD = 0.5
"""probability above which a tag is predicted"""


class ImageTagger(ImagePredictor):
    """Images [B, C, H, W], uint8 or float in [0, 1], to the probability of each tag, [B, K]. `classes` are the tags."""

    def forward(self, images: Tensor) -> Tensor:
        return self.signals["labels"].logits(self.trunk, images).sigmoid()

    def probabilities(self, images: ImageSet | Tensor, batch_size: int = 1000) -> Tensor:
        """[N, K], in eval mode, on clean images; those of an image do not sum to 1."""
        return self._map_batches(lambda batch: (self(batch),), images, (len(self.classes),), batch_size)[0]

    def predict(self, images: ImageSet | Tensor) -> list[list[tuple[str, float]]]:
        """(tag, probability) of the tags of each image, the likeliest first; [] where no tag is above a half."""
        probabilities = self.probabilities(images)
        order = probabilities.argsort(1, descending=True)
        return [
            [(self.classes[k], row[k].item()) for k in ranks.tolist() if row[k] > THRESHOLD]
            for row, ranks in zip(probabilities, order)
        ]

    cell_names = ("tags", "probabilities")

    def cells(self, images: ImageSet | Tensor, number_format: Callable[[float], str]) -> list[tuple[str, str]]:
        """Of each image its tags, as a table of labels has them, and their probabilities; both are separated by |."""
        return [
            ("|".join(tag for tag, _ in tags), "|".join(number_format(probability) for _, probability in tags))
            for tags in self.predict(images)
        ]

    def metrics(self, images: ImageSet) -> dict[str, float]:
        """The mean average precision, of the tags that some image has."""
        labels, probabilities = images.labels.numpy(), self.probabilities(images).numpy()
        tags = np.flatnonzero(labels.any(0))
        precisions = [average_precision_score(labels[:, k], probabilities[:, k]) for k in tags]
        return {"mean average precision": float(np.mean(precisions))} if precisions else {}

    def export(self, folder: Path) -> list[Path]:
        """model.onnx (images uint8 [N, C, H, W] to probabilities [N, K]), model.safetensors and classes.json."""
        return export_images(self, self.spec, folder, "probabilities")


class ImageRegressor(ImagePredictor):
    """Images [B, C, H, W], uint8 or float in [0, 1], to a number [B] in its own units, float64."""

    def forward(self, images: Tensor) -> Tensor:
        return self.signals["labels"].predict(self.trunk, images).squeeze(1)

    def numbers(self, images: ImageSet | Tensor, batch_size: int = 1000) -> Tensor:
        """float64 [N], in eval mode, on clean images."""
        predict = partial(self.signals["labels"].predict, self.trunk)
        return self._map_batches(lambda batch: (predict(batch),), images, (1,), batch_size)[0].squeeze(1).double()

    def predict(self, images: ImageSet | Tensor) -> list[float]:
        """The number of each image."""
        return self.numbers(images).tolist()

    @property
    def cell_names(self) -> tuple[str, ...]:
        return (self.spec.target_name or "number",)

    def cells(self, images: ImageSet | Tensor, number_format: Callable[[float], str]) -> list[tuple[str]]:
        """The number of each image, in its own units."""
        return [(f"{number:.6g}",) for number in self.predict(images)]

    def metrics(self, images: ImageSet) -> dict[str, float]:
        return {"absolute error": (self.numbers(images) - images.labels).abs().mean().item()}

    def export(self, folder: Path) -> list[Path]:
        """model.onnx (images uint8 [N, C, H, W] to number [N]) and model.safetensors."""
        return export_images(self, self.spec, folder, "number")
