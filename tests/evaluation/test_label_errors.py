"""Confident learning by hand, and on flipped labels."""

import torch

from caudex.evaluation.label_errors import find_label_errors


def test_label_errors_by_hand():
    # of class 0: mean probability 0.7 (0.9, 0.8, 0.4); of class 1: 0.6 (0.9, 0.7, 0.2)
    first = torch.tensor([0.9, 0.8, 0.4, 0.1, 0.3, 0.8])
    probabilities = torch.stack([first, 1 - first], 1)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    errors = find_label_errors(probabilities, labels)
    # row 5 is labelled 1 and confidently 0; row 2 is labelled 0 with 0.6 of class 1, its threshold
    assert errors.rows.tolist() == [5, 2] and errors.classes.tolist() == [0, 1]
    torch.testing.assert_close(errors.margins, torch.tensor([0.6, 0.2], dtype=torch.double))


def test_a_class_without_a_label_is_never_suggested():
    probabilities = torch.tensor([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.6, 0.2]])
    assert len(find_label_errors(probabilities, torch.tensor([0, 0, 1])).rows) == 0


def test_flipped_labels_are_found_and_the_surest_stand_first():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (600,), generator=generator)
    logits = 4 * torch.nn.functional.one_hot(truth, 3) + torch.randn(600, 3, generator=generator)
    flipped = torch.arange(600) % 20 == 0
    labels = torch.where(flipped, (truth + 1) % 3, truth)
    errors = find_label_errors(logits.softmax(1), labels)
    assert flipped[errors.rows].sum() >= 0.8 * flipped.sum()
    assert flipped[errors.rows[:25]].float().mean() > 0.9
    assert (errors.classes == truth[errors.rows]).float().mean() > 0.9
    assert (errors.margins.diff() <= 0).all()
