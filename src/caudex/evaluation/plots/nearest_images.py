"""The nearest neighbours of a few images in the space of the features."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from caudex.core.run import Run
from caudex.data import ImageSet
from caudex.data.sampling import evenly_spaced
from caudex.evaluation.plots.image_tiles import plot_image_rows


def plot_nearest_images(run: Run, images: ImageSet, features: Tensor, count: int = 7) -> None:
    """figures/nearest.png: a row for each of six images, first the image, then its `count` nearest by the cosine of the
    features [N, D]."""
    unit = F.normalize(features, dim=1)
    queries = evenly_spaced(len(unit), 6)
    nearest = (unit[queries] @ unit.T).topk(min(1 + count, len(unit)), dim=1).indices  # [Q, 1 + count], itself first
    nearest[:, 0] = queries  # also where several have equal features
    rows = {name: images.fetch(indices).float() / 255 for name, indices in zip("abcdef", nearest)}
    plot_image_rows(run, "nearest", rows)
