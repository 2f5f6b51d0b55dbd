"""Which images to label next."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

CANDIDATES = 10
"""of the images with the least margins, as many for each that is chosen, from which `margin_and_core_set` takes a core set"""


def margins(probabilities: Tensor) -> Tensor:
    """[N]: how much likelier the first class is than the second, of probabilities [N, K] (Scheffer et al. 2001)."""
    first, second = probabilities.topk(2, dim=1).values.T
    return first - second


def least_margins(probabilities: Tensor, count: int) -> Tensor:
    """int64 [count]: the rows between whose two likeliest classes the model decides least, the closest first."""
    return margins(probabilities).argsort(stable=True)[:count]


def core_set(features: Tensor, labelled_features: Tensor, count: int) -> Tensor:
    """int64 [count]: rows of features [N, D], each the farthest from all that are labelled [M, D] or chosen before it: k-centre greedy
    (Sener and Savarese 2018, algorithm 1), by cosine. Without any labelled the first is the one nearest to the mean."""
    features = F.normalize(features.float(), dim=1)
    centres = F.normalize(labelled_features.float(), dim=1)
    rows = []
    if not len(centres):
        rows.append(int((features @ features.mean(0)).argmax()))
        centres = features[rows]
    nearest = torch.cat([(part @ centres.T).amax(1) for part in features.split(1000)])  # the cosine to the nearest
    nearest[rows] = torch.inf
    while len(rows) < min(count, len(features)):
        rows.append(int(nearest.argmin()))
        nearest = torch.maximum(nearest, features @ features[rows[-1]])
        nearest[rows] = torch.inf
    return torch.tensor(rows)


def margin_and_core_set(probabilities: Tensor, features: Tensor, labelled_features: Tensor, count: int) -> Tensor:
    """int64 [count]: a core set of the images with the least margins, so that not all of them are of one kind (after Citovsky et al.
    2021, section 3)."""
    candidates = least_margins(probabilities, CANDIDATES * count)
    return candidates[core_set(features[candidates], labelled_features, count)]
