"""Labels, by hand."""

import math

import pytest
import torch

from caudex.signals import Labels
from caudex.signals.labels import one_hot
from caudex.trunks import Identity


def test_one_hot_leaves_the_unlabelled_empty():
    assert one_hot(torch.tensor([1, -1]), 2).tolist() == [[0.0, 1.0], [0.0, 0.0]]


class LogitsBatch:
    def __init__(self, logits, labels, weights=None):
        self.labels, self.weights, self.columns = labels, weights, {}
        self.logits = logits

    def __getitem__(self, i):
        return self.logits


def labels_output(batch, **settings):
    signal = Labels(2, **settings)
    signal.build(Identity(2))
    with torch.no_grad():
        signal.head.weight.copy_(torch.eye(2))
        signal.head.bias.zero_()
    return signal.loss(Identity(2), batch)


LOGITS = torch.tensor(
    [[math.log(3), 0.0], [0.0, math.log(4)], [0.0, 0.0]]
)  # probabilities 3/4, 1/4; 1/5, 4/5; 1/2, 1/2


def test_labels_count_only_where_there_are_some():
    output = labels_output(LogitsBatch(LOGITS, torch.tensor([0, 0, -1])))
    assert output.loss.item() == pytest.approx((-math.log(3 / 4) - math.log(1 / 5)) / 2)
    assert output.metrics["accuracy"] == 0.5
    assert labels_output(LogitsBatch(LOGITS, torch.tensor([-1, -1, -1]))) is None


def test_a_teachers_probabilities_are_labels_too():
    output = labels_output(LogitsBatch(LOGITS, torch.tensor([[0.5, 0.5], [0.0, 1.0], [0.0, 0.0]])))
    assert output.loss.item() == pytest.approx((-math.log(3 / 4) / 2 - math.log(1 / 4) / 2 - math.log(4 / 5)) / 2)


def test_weights_multiply_the_errors():
    output = labels_output(LogitsBatch(LOGITS, torch.tensor([0, 1, -1]), torch.tensor([2.0, 0.0, 5.0])))
    assert output.loss.item() == pytest.approx(-2 * math.log(3 / 4) / 2)
