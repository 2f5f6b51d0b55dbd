"""A model that says where an object stands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor

from caudex.data import ImageSet
from caudex.models.export import export_images
from caudex.models.image_predictor import ImagePredictor


class Locator(ImagePredictor):
    """Images [B, C, H, W], uint8 or float in [0, 1], to the object's place in the table's frame, [B, 2], cm, float64."""

    cell_names = ("x (cm)", "y (cm)")

    def forward(self, images: Tensor) -> Tensor:
        return self.signals["position"].predict(self.trunk, images)

    def positions(self, images: ImageSet | Tensor, batch_size: int = 500) -> Tensor:
        """float64 [N, 2], in eval mode, on clean images."""
        predict = partial(self.signals["position"].predict, self.trunk)
        return self._map_batches(lambda batch: (predict(batch),), images, (2,), batch_size)[0].double()

    def predict(self, images: ImageSet | Tensor) -> list[tuple[float, float]]:
        """(x, y) of each image."""
        return [(x, y) for x, y in self.positions(images).tolist()]

    def cells(self, images: ImageSet | Tensor, number_format: Callable[[float], str]) -> list[tuple[str, str]]:
        return [(f"{x:.2f}", f"{y:.2f}") for x, y in self.predict(images)]

    def export(self, folder: Path) -> list[Path]:
        """model.onnx (images uint8 [N, C, H, W] to positions [N, 2]) and model.safetensors."""
        return export_images(self, self.spec, folder, "positions")
