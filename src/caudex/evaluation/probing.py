"""Probes of frozen features, and metrics that show when features have collapsed."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.run import Run
from caudex.data import ImageSet, Split
from caudex.data.sampling import evenly_spaced
from caudex.data.stratified import split_stratified
from caudex.evaluation.classification import accuracy_with_interval
from caudex.evaluation.verdicts import paired_gain, with_verdicts
from caudex.models.encoder import extract_features
from caudex.models.image_classifier import ImageClassifier


def linear_probe_accuracy(features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor) -> float:
    """Test accuracy of `predict_by_linear_probe`."""
    return prediction_accuracy(predict_by_linear_probe(features, labels, test_features), test_labels)


def predict_by_linear_probe(features: Tensor, labels: Tensor, test_features: Tensor) -> Tensor:
    """int64 [M]: what logistic regression on standardised features [N, D] with labels [N] predicts for [M, D].

    Where all labels are the same, it is predicted for all.
    """
    if len(labels.unique()) < 2:
        return labels[:1].expand(len(test_features))
    with warnings.catch_warnings(), threadpool_limits(1):  # so small that threads only wait for each other
        warnings.simplefilter("ignore")  # it stopped after 200 steps: good enough
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        return _fit_and_predict(model, features, labels, test_features)


def compare_with_linear_probe(classifier: ImageClassifier, split: Split) -> dict[str, dict]:
    """Test accuracy of logistic regression on the features that the classifier's head has, and the classifier's gain over it, paired by
    image; {} where nothing was held out."""
    labelled, test = split.labelled, split.test
    if len(test) < 2:
        return {}
    with torch.no_grad():
        features, test_features = (classifier.trunk(part.inputs(slice(None))).pooled for part in (labelled, test))
    with threadpool_limits(1):
        model = LogisticRegression(max_iter=1000)
        predictions = _fit_and_predict(model, features, labelled.labels, test_features)
    correct = [(answers == test.labels).tolist() for answers in (classifier.probabilities(test).argmax(1), predictions)]
    return {
        "logistic regression": accuracy_with_interval(prediction_accuracy(predictions, test.labels), len(test)),
        "gain over logistic regression": paired_gain(*correct).to_json(),
    }


def knn_accuracy(
    features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor, neighbours: int = 20
) -> float:
    """Test accuracy of the nearest neighbours by cosine, weighted by 1 / distance (after Wu et al. 2018, section 3.4)."""
    model = KNeighborsClassifier(min(neighbours, len(features)), weights="distance", algorithm="brute")
    features, test_features = F.normalize(features, dim=1), F.normalize(test_features, dim=1)
    with threadpool_limits(torch.get_num_threads()):
        return prediction_accuracy(_fit_and_predict(model, features, labels, test_features), test_labels)


def _fit_and_predict(model, features: Tensor, labels: Tensor, test_features: Tensor) -> Tensor:
    return torch.from_numpy(model.fit(features.numpy(), labels.numpy()).predict(test_features.numpy()))


def prediction_accuracy(predictions: Tensor, labels: Tensor) -> float:
    return (predictions == labels).double().mean().item()


class LayerProbe(NamedTuple):
    """What the features of a layer are worth."""

    accuracies: dict[str, float]
    correct: list[bool]  # of the linear probe, for each test image


def probe_layers(
    trunk: nn.Module,
    labelled: ImageSet,
    test: ImageSet,
    seed: int,
    max_labels: int = 60_000,
    max_neighbours: int = 10_000,
) -> dict[str, LayerProbe]:
    """The accuracies of each layer's features, `pooled` last, from at most `max_labels` labels.

    `linear` of logistic regression; `neighbours` of the nearest among at most `max_neighbours` images; `held out` of
    logistic regression tested on a fifth of each class of these, drawn by the seed, to choose a layer by; 0 where no class has two.
    """
    labelled = labelled.subsample(max_labels)
    layers, test_layers, probes = extract_features(trunk, labelled), extract_features(trunk, test), {}
    part = evenly_spaced(len(labelled), max_neighbours)
    labels = labelled.labels
    train, held_out = (part[rows] for rows in split_stratified(labels[part], 0.2, seed, "best layer"))
    for layer, features in layers.items():
        test_set = test_layers[layer], test.labels
        predictions = predict_by_linear_probe(features, labels, test_layers[layer])
        accuracies = {
            "linear": prediction_accuracy(predictions, test.labels),
            "neighbours": knn_accuracy(features[part], labels[part], *test_set),
            "held out": linear_probe_accuracy(features[train], labels[train], features[held_out], labels[held_out])
            if len(held_out)
            else 0.0,
        }
        probes[layer] = LayerProbe(accuracies, (predictions == test.labels).tolist())
    return probes


def probe_beside_random_trunk(
    run: Run, trunk: nn.Module, random_trunk: nn.Module, labelled: ImageSet, test: ImageSet
) -> list[dict]:
    """The table `layers` of the run: `probe_layers` of the trunk, and the `linear` accuracy of the random one. The rows that are
    returned have the gain over it, too, paired by test image and judged together."""
    with run.counting(trunk, random_trunk):
        layers, random_layers = (probe_layers(network, labelled, test, run.seed) for network in (trunk, random_trunk))
    rows = [
        {"layer": name, **probe.accuracies, "random trunk": random_layers[name].accuracies["linear"]}
        for name, probe in layers.items()
    ]
    run.table("layers", rows)
    gains = with_verdicts([paired_gain(probe.correct, random_layers[name].correct) for name, probe in layers.items()])
    return [row | {"gain": gain.to_json()} for row, gain in zip(rows, gains)]


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
