"""Test a classifier, and write the tables and figures of its report."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from caudex.core.run import Run
from caudex.data import ImageSet, Split
from caudex.evaluation.intervals import wilson_interval
from caudex.evaluation.plots.confusion import plot_confusion
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.models.image_classifier import ImageClassifier


def evaluate_accuracy(classifier: ImageClassifier, test: ImageSet) -> dict[str, float]:
    """Test accuracy with its 95% interval; empty where nothing was held out."""
    if len(test) == 0:
        return {}
    return accuracy_with_interval(classifier.accuracy(test), len(test))


def accuracy_with_interval(accuracy: float, test_size: int) -> dict[str, float]:
    """An accuracy as it stands in results.json."""
    low, high = wilson_interval(accuracy, test_size)
    return {"accuracy": accuracy, "low": low, "high": high, "test_size": test_size}


def evaluate_classifier(run: Run, classifier: ImageClassifier, split: Split, name: str) -> dict[str, float]:
    """Accuracy with interval, clean and corrupted; tables and figures of errors. Empty where nothing was held out."""
    test = split.test
    if len(test) == 0:
        return {}
    with run.counting(classifier):
        probabilities = classifier.probabilities(test)
        corruptions = classifier.corruption_accuracies(test)
    confidence, predictions = probabilities.max(1)
    run.table(f"corruption-{name}", corruptions)
    plot_confusion(run, confusion_matrix(test.labels, predictions, len(test.classes)), test.classes)
    order = confidence.argsort(descending=True)
    errors = order[predictions[order] != test.labels[order]]
    for figure, rows in {
        "most-confident": order[:16],
        "least-confident": order.flip(0)[:16],
        "confident-errors": errors[:16],
    }.items():
        captions = []
        for i in rows:
            label = "" if predictions[i] == test.labels[i] else f"\nis {test.classes[test.labels[i]][:13]}"
            captions.append(f"{test.classes[predictions[i]][:11]} {confidence[i]:.0%}{label}")
        if len(rows):
            plot_image_tiles(run, figure, test.fetch(rows), 4, captions)
    accuracy = (predictions == test.labels).float().mean().item()
    corrupted = float(np.mean([row["accuracy"] for row in corruptions]))
    return accuracy_with_interval(accuracy, len(test)) | {"corrupted": corrupted}


def accuracy_gain(classifier: ImageClassifier, baseline: ImageClassifier, test: ImageSet) -> dict[str, float]:
    """Accuracy gain over the baseline with its 95% interval, paired image by image; empty for fewer than two images."""
    if len(test) < 2:
        return {}
    correct, baseline_correct = (
        (net.probabilities(test).argmax(1) == test.labels).double() for net in (classifier, baseline)
    )
    difference = correct - baseline_correct  # [N] in -1, 0, 1
    half = 1.96 * difference.std().item() / len(test) ** 0.5  # normal: there are many images
    mean = difference.mean().item()
    return {"gain": mean, "low": mean - half, "high": mean + half}


def confusion_matrix(labels: Tensor, predictions: Tensor, num_classes: int) -> np.ndarray:
    """[K, K] counts; row: label, column: prediction."""
    counts = np.bincount((labels * num_classes + predictions).numpy(), minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes)
