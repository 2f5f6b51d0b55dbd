"""Probes of frozen features, and metrics that show when features have collapsed."""

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

from caudex.core.run import Run
from caudex.data import ImageSet
from caudex.data.sampling import evenly_spaced
from caudex.models.encoder import extract_features


def linear_probe_accuracy(features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor) -> float:
    """Test accuracy of logistic regression on standardised features, [N, D] with labels [N].

    Where all labels are the same, it is predicted for all.
    """
    if len(labels.unique()) < 2:
        return float((test_labels == labels[0]).float().mean())
    with warnings.catch_warnings(), threadpool_limits(1):  # so small that threads only wait for each other
        warnings.simplefilter("ignore")  # it stopped after 200 steps: good enough
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        return _fit_and_test(model, features, labels, test_features, test_labels)


def knn_accuracy(
    features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor, neighbours: int = 20
) -> float:
    """Test accuracy of the nearest neighbours by cosine, weighted by 1 / distance (after Wu et al. 2018, section 3.4)."""
    model = KNeighborsClassifier(min(neighbours, len(features)), weights="distance", algorithm="brute")
    features, test_features = F.normalize(features, dim=1), F.normalize(test_features, dim=1)
    with threadpool_limits(torch.get_num_threads()):
        return _fit_and_test(model, features, labels, test_features, test_labels)


def _fit_and_test(model, features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor) -> float:
    predictions = model.fit(features.numpy(), labels.numpy()).predict(test_features.numpy())
    return float((predictions == test_labels.numpy()).mean())


def probe_layers(
    trunk: nn.Module, labelled: ImageSet, test: ImageSet, max_labels: int = 60_000, max_neighbours: int = 10_000
) -> dict[str, dict[str, float]]:
    """Accuracies of each layer's features, `pooled` last, from at most `max_labels` labels.

    `linear` of logistic regression; `neighbours` of the nearest among at most `max_neighbours` images; `held out` of
    logistic regression tested on a fifth of these, to choose a layer by.
    """
    labelled = labelled.subsample(max_labels)
    layers, test_layers, accuracies = extract_features(trunk, labelled), extract_features(trunk, test), {}
    part = evenly_spaced(len(labelled), max_neighbours)
    train, held_out = part[torch.arange(len(part)) % 5 > 0], part[::5]
    labels = labelled.labels
    for layer, features in layers.items():
        test_set = test_layers[layer], test.labels
        accuracies[layer] = {
            "linear": linear_probe_accuracy(features, labels, *test_set),
            "neighbours": knn_accuracy(features[part], labels[part], *test_set),
            "held out": linear_probe_accuracy(features[train], labels[train], features[held_out], labels[held_out]),
        }
    return accuracies


def probe_beside_random_trunk(
    run: Run, trunk: nn.Module, random_trunk: nn.Module, labelled: ImageSet, test: ImageSet
) -> list[dict]:
    """The table `layers` of the run: `probe_layers` of the trunk, and the `linear` accuracy of the random one."""
    with run.counting(trunk, random_trunk):
        layers, random_layers = (probe_layers(network, labelled, test) for network in (trunk, random_trunk))
    rows = [{"layer": layer, **layers[layer], "random trunk": random_layers[layer]["linear"]} for layer in layers]
    run.table("layers", rows)
    return rows


def feature_spectrum(features: Tensor) -> dict[str, float]:
    """Effective rank of features [N, D], from 1 to D (Roy and Vetterli 2007, definition 1); and, of features of unit length,
    the mean standard deviation of a dimension, divided by that of uniform ones on the sphere, 1 / sqrt(D)."""
    centred = features.double() - features.double().mean(0)
    singular_values = torch.linalg.svdvals(centred)
    share = singular_values / singular_values.sum().clamp_min(1e-12)
    std = F.normalize(features.double(), dim=1).std(0).mean() * features.shape[1] ** 0.5
    return {"effective rank": float(torch.special.entr(share).sum().exp()), "std": float(std)}


COLLAPSED_STD = 0.02
"""a `std` below it: nearly all images have the same features"""
