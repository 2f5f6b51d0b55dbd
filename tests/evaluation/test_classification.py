"""Accuracies and their paired gain."""

import pytest
import torch

from caudex.data import ImageSet, InMemoryImages
from caudex.evaluation.classification import gain
from caudex.evaluation.intervals import mean_interval
from caudex.models.classifier import interval
from caudex.signals.labels import one_hot

# -- pseudo-labels -------------------------------------------------------------------------------------------------


def test_the_gain_is_paired_by_picture():
    class FixedClassifier:
        def __init__(self, predictions):
            self.predictions = torch.tensor(predictions)

        def probabilities(self, test):
            return one_hot(self.predictions, 2)

    test = ImageSet(
        InMemoryImages(torch.zeros(4, 1, 4, 4, dtype=torch.uint8), "abcd"), torch.tensor([0, 0, 1, 1]), ("n", "y")
    )
    difference = gain(
        FixedClassifier([0, 0, 1, 0]), FixedClassifier([0, 1, 0, 0]), test
    )  # right: 1 1 1 0 against 1 0 0 0
    half = 1.96 * (1 / 3) ** 0.5 / 2  # of 0 1 1 0: deviation sqrt(1/3)
    assert list(difference.values()) == pytest.approx([0.5, 0.5 - half, 0.5 + half])
    assert gain(None, None, test.take([1])) == {}


# -- figures -------------------------------------------------------------------------------------------------------


def test_intervals_by_hand():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])  # deviation 1, t(2) = 4.3027
    assert (mean, high) == (2.0, pytest.approx(2 + 4.3027 / 3**0.5, abs=1e-3)) and low == pytest.approx(4 - high)
    assert interval(0.5, 100) == (pytest.approx(0.4038, abs=1e-3), pytest.approx(0.5962, abs=1e-3))
    assert interval(0.0, 1000)[0] == 0 and interval(1.0, 1000)[1] == 1
