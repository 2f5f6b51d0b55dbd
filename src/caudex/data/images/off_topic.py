"""Off-topic unlabelled images: to add some for study, and to detect them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.data.images.image_set import ImageSet, Split
from caudex.data.sampling import evenly_spaced


def with_off_topic(split: Split, share: float, seed: int) -> Split:
    """The task of telling the first half of the classes; `share` of the unlabelled are images of the other half.

    The number of unlabelled images is the same for every share. Needs a set whose hidden labels are all known.
    """
    labels = split.unlabelled.hidden_labels
    if labels is None or (labels < 0).any():
        raise CaudexError("--off-topic needs a set in which every label is known, such as digits or fashion-mnist.")
    halved = with_half_of_classes(split)
    generator, classes = np.random.default_rng([seed, 1]), len(halved.labelled.classes)
    on_topic, off_topic = (
        generator.permutation(np.flatnonzero(mask)) for mask in (labels < classes, labels >= classes)
    )
    count = min(len(on_topic), len(off_topic))
    off_count = round(share * count)
    rows = torch.from_numpy(np.concatenate([on_topic[: count - off_count], off_topic[:off_count]]))
    unlabelled = replace(split.unlabelled.take(rows), classes=halved.labelled.classes)
    return replace(halved, unlabelled=unlabelled, train=unlabelled)


def with_half_of_classes(split: Split) -> Split:
    """The labelled images and those of the test of the first half of the classes, at least two. Raises CaudexError for fewer than three."""
    classes = split.labelled.classes
    if len(classes) < 3:
        raise CaudexError(f"--off-topic learns half of the classes, and there are {len(classes)}; leave it out.")
    half = max(2, len(classes) // 2)
    labelled, test = (
        replace(part.take(part.labels < half), classes=classes[:half]) for part in (split.labelled, split.test)
    )
    return replace(split, labelled=labelled, test=test)


def off_topic_share(labelled: ImageSet, unlabelled: ImageSet, max_images: int = 2000) -> float:
    """An estimate in [0, 1] of how many unlabelled images are unlike every labelled one.

    An image is unlike when its nearest labelled image is farther than 95% of the labelled are from their own
    nearest; distances between images shrunk to at most 8x8 and brought to the same brightness and contrast.
    NaN with fewer than ten labelled images or none unlabelled.
    """
    if len(labelled) < 10 or len(unlabelled) == 0:
        return float("nan")
    labelled_vectors, other_vectors = (_thumbnails(part, max_images) for part in (labelled, unlabelled))
    nearest = torch.cdist(labelled_vectors, labelled_vectors).fill_diagonal_(float("inf")).amin(1)
    far_share = (torch.cdist(other_vectors, labelled_vectors).amin(1) > nearest.quantile(0.95)).float().mean().item()
    return min(1.0, max(0.0, (far_share - 0.05) / 0.95))


def _thumbnails(images: ImageSet, max_images: int) -> Tensor:
    """[N, D]: small grey or colour images, or the features of those that are encoded, a number a channel."""
    inputs = images.inputs(evenly_spaced(len(images), max_images)).float()
    size = 8 if images.features is None else 1
    small = F.adaptive_avg_pool2d(inputs, size).flatten(1) if inputs.ndim == 4 else inputs
    return F.layer_norm(small, small.shape[1:])
