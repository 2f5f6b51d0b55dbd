"""Labels that are probably wrong, by hand, and flipped ones of digits."""

import torch

from caudex import data
from caudex.evaluation.cross_fitting import cross_fit, input_vectors
from caudex.evaluation.label_errors import find_label_errors


def test_label_errors_by_hand():
    first = torch.tensor([0.9, 0.03, 0.4, 0.01, 0.98, 0.8])
    probabilities = torch.stack([first, 1 - first], 1)
    errors = find_label_errors(probabilities, torch.tensor([0, 0, 0, 1, 1, 1]))
    assert errors.rows.tolist() == [4, 1] and errors.classes.tolist() == [0, 1]
    torch.testing.assert_close(errors.probabilities, torch.tensor([0.02, 0.03]))
    assert find_label_errors(probabilities, torch.tensor([0, 0, 0, 1, 1, 1]), 0.3).rows.tolist() == [4, 1, 5]


def test_an_unlikely_label_among_many_unlikely_classes_is_none():
    probabilities = torch.full((1, 20), 0.05)
    assert len(find_label_errors(probabilities, torch.tensor([0])).rows) == 0


def test_flipped_labels_of_digits_are_found_by_cross_fitting():
    digits = data.load_images("digits", labels_per_class=None, test_share=0).labelled.subsample(800)
    vectors, truth = input_vectors(digits, None), digits.labels
    is_flipped = torch.arange(800) % 20 == 0
    labels = torch.where(is_flipped, (truth + 1 + torch.arange(800) % 9) % 10, truth)
    rows, probabilities = cross_fit(vectors, labels, 10, False, seed=0)
    assert rows.tolist() == list(range(800))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(800, dtype=torch.double))
    errors = find_label_errors(probabilities, labels)
    assert is_flipped[errors.rows].sum() >= 0.8 * is_flipped.sum()
    assert is_flipped[errors.rows].float().mean() > 0.8
    assert (errors.classes == truth[errors.rows])[is_flipped[errors.rows]].float().mean() > 0.8


def test_what_nothing_can_be_learned_of_is_left_out():
    vectors, labels = torch.randn(6, 3), torch.tensor([0, 0, 1, -1, 2, 1])  # one of class 2 alone; one without label
    rows, probabilities = cross_fit(vectors, labels, 4, True, seed=0)
    assert rows.tolist() == [0, 1, 2, 5] and probabilities.shape == (4, 4)
    rows, probabilities = cross_fit(vectors, torch.full((6,), -1), 4, True, seed=0)
    assert len(rows) == len(probabilities) == 0
