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

from caudex.data import Pictures
from caudex.encoder import features


def linear(known: Tensor, labels: Tensor, asked: Tensor, truth: Tensor) -> float:
    """Accuracy of logistic regression on standardised features, [N, D] with [N] labels, tested on others."""
    with warnings.catch_warnings(), threadpool_limits(torch.get_num_threads()):
        warnings.simplefilter("ignore")  # it stopped after 200 steps: good enough
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        return float((model.fit(known.numpy(), labels.numpy()).predict(asked.numpy()) == truth.numpy()).mean())


def neighbours(known: Tensor, labels: Tensor, asked: Tensor, truth: Tensor, count: int = 20) -> float:
    """Accuracy of the `count` nearest by cosine, the nearer the weightier (after Wu et al. 2018, section 3.4)."""
    model = KNeighborsClassifier(min(count, len(known)), weights="distance", algorithm="brute")
    known, asked = F.normalize(known, dim=1), F.normalize(asked, dim=1)
    with threadpool_limits(torch.get_num_threads()):
        return float((model.fit(known.numpy(), labels.numpy()).predict(asked.numpy()) == truth.numpy()).mean())


def probe(trunk: nn.Module, known: Pictures, test: Pictures, most: int = 10_000) -> dict[str, dict[str, float]]:
    """Linear and nearest-neighbour accuracy of each layer's features, `pooled` last; from at most `most` labels.

    `held out` is the linear one on a fifth of the known pictures, to choose a layer by.
    """
    known = some(known, most)
    here, there, fifth = features(trunk, known), features(trunk, test), torch.arange(len(known)) % 5 == 0
    found = {}
    for layer, made in here.items():
        parts = made, known.labels, there[layer], test.labels
        within = made[~fifth], known.labels[~fifth], made[fifth], known.labels[fifth]
        found[layer] = {"linear": linear(*parts), "neighbours": neighbours(*parts), "held out": linear(*within)}
    return found


def some(pictures: Pictures, most: int) -> Pictures:
    """At most so many of them, spread evenly over the set, whose order is that of the files, class by class."""
    return pictures.take(torch.linspace(0, len(pictures) - 1, min(most, len(pictures))).long())


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
"""a `deviation` below it: nearly all pictures have the same features"""
