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

FEATURE_NEIGHBOURS = 5
"""of features; one was worse on every set tried (docs/advise.md)"""


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

    An image is unlike when it is farther from the labelled images, by `labelled_distances`, than 95% of these are from each other. NaN with
    fewer than ten labelled images or none unlabelled.
    """
    if len(labelled) < 10 or len(unlabelled) == 0:
        return float("nan")
    return share_beyond(*labelled_distances(labelled, unlabelled, max_images))


def labelled_distances(labelled: ImageSet, unlabelled: ImageSet, max_images: int) -> tuple[Tensor, Tensor]:
    """The distance of each labelled image to the nearest others [N], and of each unlabelled to the nearest labelled [M]; of at most
    `max_images` of each, evenly spaced.

    Of pixels it is that of the nearest image shrunk to at most 8x8 and brought to the same brightness and contrast; of features, the mean
    over the five nearest by cosine, centred by the mean of all.
    """
    rows = [evenly_spaced(len(part), max_images) for part in (labelled, unlabelled)]
    if labelled.features is None:
        vectors, others = (shrink(part, index) for part, index in zip((labelled, unlabelled), rows))
        neighbours = 1
    else:
        parts = [part.inputs(index).float() for part, index in zip((labelled, unlabelled), rows)]
        vectors, others = (part.mean((2, 3)) if part.ndim == 4 else part for part in parts)
        mean = torch.cat([vectors, others]).mean(0)
        vectors, others = (F.normalize(part - mean, dim=1) for part in (vectors, others))
        neighbours = min(FEATURE_NEIGHBOURS, len(vectors) - 1)

    def nearest_mean(distances: Tensor) -> Tensor:
        return distances.topk(neighbours, dim=1, largest=False).values.mean(1)

    own = []
    for index in torch.arange(len(vectors)).split(2000):
        distances = torch.cdist(vectors[index], vectors)
        distances[torch.arange(len(index)), index] = torch.inf  # to itself
        own.append(nearest_mean(distances))
    return torch.cat(own), torch.cat([nearest_mean(torch.cdist(part, vectors)) for part in others.split(1000)])


def shrink(images: ImageSet, rows: Tensor) -> Tensor:
    """[N, D]: images at most 8x8 large, of the same brightness and contrast."""
    parts = [F.adaptive_avg_pool2d(images.inputs(part).float(), 8).flatten(1) for part in rows.split(1000)]
    return torch.cat([F.layer_norm(part, part.shape[1:]) for part in parts])


def share_beyond(own: Tensor, distances: Tensor) -> float:
    """The share of the distances that is larger than 95% of `own`, less the 5% that would be by chance."""
    far_share = (distances > own.quantile(0.95)).float().mean().item()
    return min(1.0, max(0.0, (far_share - 0.05) / 0.95))
