"""Which labels are probably wrong: confident learning (Northcutt et al. 2021)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class LabelErrors(NamedTuple):
    """Rows whose label is probably wrong, the surest first, the class that each probably has, and the margin by which the model
    prefers it to the label."""

    rows: Tensor  # int64 [M]
    classes: Tensor  # int64 [M]
    margins: Tensor  # [M]


def find_label_errors(probabilities: Tensor, labels: Tensor) -> LabelErrors:
    """Of labels [N] and probabilities [N, K] of a model that did not learn from the image in question.

    An image is confidently of class k where its probability is at least the mean probability of k among the images labelled k
    (section 3.1, equation 2). Those that are confidently of another class than their label are off the diagonal of the confident
    joint; they are ranked by the normalised margin (section 3.2). Classes without a label have no threshold, and are never confident.
    """
    probabilities = probabilities.double()
    counts = labels.bincount(minlength=probabilities.shape[1])
    own = probabilities.gather(1, labels[:, None])[:, 0]  # [N]: of the label
    sums = torch.zeros(len(counts), dtype=torch.double).index_add(0, labels, own)
    thresholds = torch.where(counts > 0, sums / counts.clamp_min(1), torch.inf)  # [K]
    is_confident = probabilities >= thresholds
    likeliest = torch.where(is_confident, probabilities, -1.0).argmax(1)
    rows = (is_confident.any(1) & (likeliest != labels)).nonzero().flatten()
    classes = likeliest[rows]
    margins = probabilities[rows, classes] - own[rows]
    order = margins.argsort(descending=True, stable=True)
    return LabelErrors(rows[order], classes[order], margins[order])
