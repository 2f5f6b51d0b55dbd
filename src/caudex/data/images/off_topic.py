"""Unlabelled images of other things: to make some for study, and to notice them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.data.images.image_set import ImageSet, Split
from caudex.data.sampling import evenly


def with_off_topic(split: Split, share: float, seed: int) -> Split:
    """The task of telling the first half of the classes; `share` of the unlabelled are images of the other half.

    The number of unlabelled images is the same for every share. Needs a set whose hidden labels are known.
    """
    hidden = split.unlabelled.hidden
    if hidden is None or (hidden < 0).any():
        raise CaudexError("--off-topic needs a set in which every label is known, such as digits or fashion-mnist.")
    classes = len(split.labelled.classes) // 2
    generator = np.random.default_rng([seed, 1])
    on, off = (generator.permutation(np.flatnonzero(mask)) for mask in (hidden < classes, hidden >= classes))
    count = min(len(on), len(off))
    others = round(share * count)
    rows = torch.from_numpy(np.concatenate([on[: count - others], off[:others]]))
    unlabelled = split.unlabelled.take(rows)
    kept = [
        replace(part.take(part.labels < classes), classes=part.classes[:classes])
        for part in (split.labelled, split.test)
    ]
    unlabelled = replace(unlabelled, classes=kept[0].classes)
    return replace(split, labelled=kept[0], unlabelled=unlabelled, test=kept[1], every=unlabelled)


def off_topic_share(labelled: ImageSet, unlabelled: ImageSet, sample: int = 2000) -> float:
    """An estimate in [0, 1] of how many unlabelled images are unlike every labelled one.

    An image is unlike when its nearest labelled image is farther than 95% of the labelled are from their own
    nearest; distances between images shrunk to at most 8x8 and brought to the same brightness and contrast.
    NaN with fewer than ten labelled images or none unlabelled.
    """
    if len(labelled) < 10 or len(unlabelled) == 0:
        return float("nan")
    known, others = (_shrunk(part, sample) for part in (labelled, unlabelled))
    among = torch.cdist(known, known).fill_diagonal_(float("inf")).amin(1)
    beyond = (torch.cdist(others, known).amin(1) > among.quantile(0.95)).float().mean().item()
    return min(1.0, max(0.0, (beyond - 0.05) / 0.95))


def _shrunk(images: ImageSet, sample: int) -> Tensor:
    rows = evenly(len(images), sample)
    small = F.adaptive_avg_pool2d(images.fetch(rows).float(), 8).flatten(1)
    return F.layer_norm(small, small.shape[1:])
