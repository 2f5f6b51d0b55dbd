"""Accuracies, their paired gain, and the confusion matrix, by hand."""

import pytest
import torch

from caudex.data import ImageSet, InMemoryImages
from caudex.evaluation.classification import accuracy_gain, confusion_matrix
from caudex.signals.labels import one_hot


def test_the_gain_is_paired_by_image():
    class FixedClassifier:
        def __init__(self, predictions):
            self.predictions = torch.tensor(predictions)

        def probabilities(self, test):
            return one_hot(self.predictions, 2)

    test = ImageSet(
        InMemoryImages(torch.zeros(4, 1, 4, 4, dtype=torch.uint8), "abcd"), torch.tensor([0, 0, 1, 1]), ("n", "y")
    )
    difference = accuracy_gain(
        FixedClassifier([0, 0, 1, 0]), FixedClassifier([0, 1, 0, 0]), test
    )  # right: 1 1 1 0 against 1 0 0 0
    half = 1.96 * (1 / 3) ** 0.5 / 2  # of 0 1 1 0: deviation sqrt(1/3)
    assert list(difference.values()) == pytest.approx([0.5, 0.5 - half, 0.5 + half])
    assert accuracy_gain(None, None, test.take([1])) == {}


def test_confusion_counts_labels_by_predictions():
    assert confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]
