"""What an estimator is given, images or vectors, as sets that the systems learn from."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch
from PIL import Image

from caudex import trunks
from caudex.core.errors import CaudexError
from caudex.core.specs import ImageSpec
from caudex.data import ImageFiles, ImageSet, InMemoryImages, encode_images
from caudex.data.feature_cache import StoredFeatures
from caudex.data.images.decode import ImageFormat, common_format
from caudex.data.images.image_set import NumberedNames
from caudex.systems.few_labels.noisy_student import DEFAULTS
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.image_trunks import auto_trunk, check_teachable, check_trunk, is_pretrained, open_encoder, pin_trunk

HIDDEN = (128, 128)
"""units of the two layers that learn from vectors"""


def is_vectors(X: Any) -> bool:
    """Whether these are vectors [N, D]: neither images nor the paths of some."""
    array = np.asarray(X)
    are_paths = array.ndim == 1 and len(array) and isinstance(array[0], (str, PathLike))
    return array.ndim < 3 and not are_paths


class ImageInputs:
    """Images of one format, and the frozen trunk whose features are learned from, if any; `idle` are the signals that would teach it
    nothing. Raises CaudexError for a file that cannot be read, for arrays that are no images and for such signals."""

    def __init__(self, X: Any, trunk: str, size: int, finetune: int, idle: Sequence[str]):
        check_trunk(trunk, pretrained=True, tuned_blocks=finetune)
        names = ImageSources(X)
        if trunk == "auto":
            trunk = auto_trunk(common_format(names, ImageFormat((0, size, size))).shape[0] == 3, idle)
        check_teachable(trunk, idle)
        self.trunk = pin_trunk(trunk) if is_pretrained(trunk) else trunk
        self.encoder = open_encoder(self.trunk, finetune) if is_pretrained(self.trunk) else None
        side = size or (self.encoder.image_size if self.encoder else 0)
        self.image_format = common_format(names, ImageFormat((0, side, side), on_demand=True))

    def read(self, X: Any) -> ImageSet:
        """Without labels. Images that go through a frozen trunk do so once, on this machine."""
        store = ImageFiles(ImageSources(X), self.image_format)
        rows, labels, features = torch.arange(len(store)), torch.full((len(store),), -1), None
        if self.encoder:
            features = encode_images(store, rows, self.encoder)
        else:
            store_in_memory = InMemoryImages(store.fetch(rows), store.names, image_format=self.image_format)
        for row, reason in store.reasons.items():
            raise CaudexError(f"{store.names[row]} cannot be read ({reason}); mend it or leave it out.")
        return ImageSet(store if features else store_in_memory, labels, (), features=features)

    def system_kind(self, kind: type[FewLabels]) -> type[FewLabels]:
        return kind

    def settings(self, kind: type[FewLabels]) -> dict[str, Any]:
        return {"trunk": self.trunk}


class VectorInputs:
    """Vectors [N, D]: standardised by the mean and deviation of those of `fit`, for a network of two hidden layers; or as they are, for
    a linear classifier."""

    def __init__(self, X: np.ndarray, trunk: str):
        if trunk not in ("auto", "linear"):
            raise CaudexError(f'trunk={trunk!r} is of images; of vectors choose "auto" or "linear".')
        self.encoder = trunks.FrozenEncoder(_Vectors(X.shape[1])) if trunk == "linear" else None
        std = X.std(0)
        self.mean, self.std = X.mean(0), np.where(std > 0, std, 1.0)

    def read(self, X: np.ndarray) -> ImageSet:
        """Each number is a channel of an image of one pixel; or a feature, before a linear classifier."""
        values, names, labels = torch.from_numpy(X), NumberedNames("X", len(X)), torch.full((len(X),), -1)
        if self.encoder:
            store = InMemoryImages(torch.zeros(len(X), 1, 1, 1, dtype=torch.uint8), names)
            return ImageSet(store, labels, (), features=StoredFeatures(values.float(), torch.arange(len(X))))
        values = torch.from_numpy((X - self.mean) / self.std)
        return ImageSet(InMemoryImages(values[:, :, None, None], names), labels, ())

    def system_kind(self, kind: type[FewLabels]) -> type[FewLabels]:
        return kind if self.encoder else type(kind.__name__, (VectorSystem, kind), {})

    def settings(self, kind: type[FewLabels]) -> dict[str, Any]:
        return {"trunk": "small"} | (DEFAULTS[True] if self.encoder and hasattr(kind, "rounds") else {})


class VectorSystem(FewLabels):
    """Before a system: what of it is different where it learns from vectors. Dropout alone is its noise."""

    def build_trunk(
        self, spec: ImageSpec, width: int | None = None, dropout: float = 0.0, survival: float = 1.0
    ) -> trunks.Trunk:
        return VectorMLP(spec.shape[0], HIDDEN, dropout)

    def augmentation(self, spec: ImageSpec) -> None:
        return None


class VectorMLP(trunks.MLP):
    """An MLP on standardised numbers."""

    def __init__(self, inputs: int, hidden: Sequence[int], dropout: float):
        super().__init__(inputs, hidden, dropout)
        self.standardise = trunks.Standardise(inputs)

    def forward(self, x: torch.Tensor, state: Any = None) -> trunks.Features:
        return super().forward(self.standardise(x))


class _Vectors(trunks.Identity):
    image_size = 1


class ImageSources:
    """The images of arrays [N, H, W] or [N, H, W, C], uint8 or floats in [0, 1], or of paths [N]; each with a name. Raises
    CaudexError for others."""

    def __init__(self, X: Any):
        self.paths = [fspath(path) for path in X] if np.asarray(X).ndim == 1 else None
        self.pixels = None if self.paths else to_bytes(np.asarray(X))

    def __len__(self) -> int:
        return len(self.paths or self.pixels)

    def __getitem__(self, row: int) -> str:
        return self.paths[row] if self.paths else f"X[{row}]"

    def source(self, row: int) -> str | Image.Image:
        return self.paths[row] if self.paths else Image.fromarray(self.pixels[row])


def to_bytes(images: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W] or [N, H, W, 3 or 4] of images. Raises CaudexError where they have another shape or range."""
    shape = " x ".join(map(str, images.shape))
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise CaudexError(f"X is {shape}; images are [N, H, W] or [N, H, W, C], and vectors [N, D].")
    if images.ndim == 4 and images.shape[3] not in (1, 3, 4):
        advice = " X.transpose(0, 2, 3, 1) puts them last." if images.shape[1] in (1, 3, 4) else ""
        raise CaudexError(f"X is {shape}; images have 1, 3 or 4 channels, which stand last.{advice}")
    if images.dtype != np.uint8:
        if images.dtype.kind not in "fiub" or not (images.min() >= 0 and images.max() <= 1):
            raise CaudexError(
                f"X is {images.dtype} from {images.min()} to {images.max()}; images are uint8, or floats from 0 to 1."
            )
        images = (images * 255).round().astype(np.uint8)
    return images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
