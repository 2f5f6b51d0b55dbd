"""What features are worth: probes that never move the trunk, and what shows that it has collapsed."""

from __future__ import annotations

import warnings

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.data import ImageSet
from caudex.data.sampling import evenly
from caudex.models.encoder import features


def linear(known: Tensor, labels: Tensor, asked: Tensor, truth: Tensor) -> float:
    """Accuracy of logistic regression on standardised features, [N, D] with [N] labels, tested on others.

    Where all known ones have the same label, all others are told to have it too.
    """
    if len(labels.unique()) < 2:
        return float((truth == labels[0]).float().mean())
    with warnings.catch_warnings(), threadpool_limits(1):  # so small that threads only wait for each other
        warnings.simplefilter("ignore")  # it stopped after 200 steps: good enough
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        return float((model.fit(known.numpy(), labels.numpy()).predict(asked.numpy()) == truth.numpy()).mean())


def neighbours(known: Tensor, labels: Tensor, asked: Tensor, truth: Tensor, count: int = 20) -> float:
    """Accuracy of the `count` nearest by cosine, the nearer the weightier (after Wu et al. 2018, section 3.4)."""
    model = KNeighborsClassifier(min(count, len(known)), weights="distance", algorithm="brute")
    known, asked = F.normalize(known, dim=1), F.normalize(asked, dim=1)
    with threadpool_limits(torch.get_num_threads()):
        return float((model.fit(known.numpy(), labels.numpy()).predict(asked.numpy()) == truth.numpy()).mean())


def probe(
    trunk: nn.Module, known: ImageSet, test: ImageSet, most: int = 60_000, few: int = 10_000
) -> dict[str, dict[str, float]]:
    """Linear accuracy of each layer's features, `pooled` last, from at most `most` labels.

    From at most `few` of them that of the nearest neighbours, and `held out`: the linear one on a fifth of these known
    images, to choose a layer by.
    """
    known = known.some(most)
    here, there, found = features(trunk, known), features(trunk, test), {}
    part = evenly(len(known), few)
    train, fifth = part[torch.arange(len(part)) % 5 > 0], part[::5]
    for layer, made in here.items():
        asked = there[layer], test.labels
        found[layer] = {
            "linear": linear(made, known.labels, *asked),
            "neighbours": neighbours(made[part], known.labels[part], *asked),
            "held out": linear(made[train], known.labels[train], made[fifth], known.labels[fifth]),
        }
    return found


def spectrum(vectors: Tensor) -> dict[str, float]:
    """Effective rank of features [N, D], from 1 to D (Roy and Vetterli 2007, definition 1), and the mean deviation of
    a dimension once the vectors have unit length, over what it is on the whole sphere, 1 / sqrt(D)."""
    centred = vectors.double() - vectors.double().mean(0)
    values = torch.linalg.svdvals(centred)
    share = values / values.sum().clamp_min(1e-12)
    deviation = F.normalize(vectors.double(), dim=1).std(0).mean() * vectors.shape[1] ** 0.5
    return {
        "effective rank": float(torch.special.entr(share).sum().exp()),
        "deviation": float(deviation),
    }


COLLAPSED = 0.02
"""a `deviation` below it: nearly all images have the same features"""
