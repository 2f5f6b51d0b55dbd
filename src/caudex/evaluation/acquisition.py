"""Which images to label next."""

from __future__ import annotations

import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional as F

MAX_CANDIDATES = 10_000
"""images with the least margins that `weighted_centres` clusters"""


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


def weighted_centres(probabilities: Tensor, features: Tensor, count: int, seed: int = 0) -> Tensor:
    """int64 [count]: the rows nearest to the centres of `count` clusters of the features [N, D], by k-means in which an image weighs as much as
    the model is undecided, 1 - margin (Zhdanov 2019, section 3.3). So they are undecided, of all kinds, and typical of these; a core set
    takes what is odd."""
    candidates = least_margins(probabilities, MAX_CANDIDATES)
    weights = (1 - margins(probabilities[candidates])).clamp_min(1e-6).numpy()
    vectors = F.normalize(features[candidates].float(), dim=1).numpy()
    count = min(count, len(candidates))
    with threadpool_limits(1):
        clusters = KMeans(count, n_init=1, max_iter=30, random_state=seed).fit(vectors, sample_weight=weights)
    distances = torch.from_numpy(((vectors - clusters.cluster_centers_[clusters.labels_]) ** 2).sum(1))
    labels = torch.from_numpy(clusters.labels_).long()
    nearest = [rows[distances[rows].argmin()] for k in range(count) if len(rows := (labels == k).nonzero().flatten())]
    rows = list(dict.fromkeys(torch.stack(nearest).tolist()))
    rest = (row for row in range(len(candidates)) if row not in set(rows))  # equal images share a cluster
    while len(rows) < count:
        rows.append(next(rest))
    return candidates[rows]
