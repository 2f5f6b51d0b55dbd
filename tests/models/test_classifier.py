"""The confusion matrix, by hand."""

import torch

from caudex.models.classifier import confusion


def test_confusion_counts_true_by_told():
    assert confusion(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]
