"""Calibrations, by numbers computed by hand."""

import math

import pytest
import torch

from caudex.models.prompting.calibration import (
    Calibration,
    centre,
    empty_calibration,
    median_calibration,
    no_calibration,
    threshold_calibration,
)


def log_ratios(*values):
    """Log-likelihoods of two classes with these log-ratios."""
    return torch.tensor([[value - 7.0, -7.0] for value in values])


def test_centred_scores_of_two_classes_are_half_the_log_ratio():
    assert centre(log_ratios(3.0, -1.0)).tolist() == [[1.5, -1.5], [-0.5, 0.5]]


def test_the_median_halves_the_texts():
    scores = log_ratios(5.0, 1.0, 4.0, 2.0)  # median 3
    calibration = median_calibration(scores)
    assert calibration.offsets.tolist() == [1.5, -1.5]
    first = calibration.probabilities(scores)[:, 0]
    assert first.tolist() == pytest.approx([1 / (1 + math.exp(-x)) for x in (2, -2, 1, -1)])


def test_the_median_is_that_of_each_class():
    scores = torch.tensor([[0.0, -1, -5], [0, -2, -4], [0, -6, -3]])
    centred = scores - scores.mean(1, keepdim=True)  # rows less -2, -2, -3
    assert centred.tolist() == [[2, 1, -3], [2, 0, -2], [3, -3, 0]]
    assert median_calibration(scores).offsets.tolist() == [2, 0, -2]
    assert median_calibration(scores).probabilities(scores).argmax(1).tolist() == [1, 0, 2]  # the second is a tie


def test_empty_texts_count_by_their_mean():
    assert empty_calibration(log_ratios(1.0, 2.0, 6.0)).offsets.tolist() == pytest.approx([1.5, -1.5])


def test_nothing_is_subtracted_without_calibration():
    probabilities = no_calibration(2).probabilities(log_ratios(math.log(3)))
    assert probabilities[0].tolist() == pytest.approx([0.75, 0.25])


def test_the_threshold_lies_in_the_middle_of_what_is_symmetrical():
    scores, labels = log_ratios(6.0, 5.0, 3.0, 2.0), torch.tensor([0, 0, 1, 1])
    calibration = threshold_calibration(scores, labels)
    offset = calibration.offsets[0] - calibration.offsets[1]
    assert offset.item() == pytest.approx(4.0, abs=0.05)  # the prior pulls it to zero by little
    assert calibration.probabilities(scores).argmax(1).tolist() == labels.tolist()
    assert calibration.scale > 1


def test_the_threshold_follows_the_share_of_the_classes():
    # the same log-ratio everywhere: what is left to learn are the frequencies, four to one
    calibration = threshold_calibration(log_ratios(*[2.0] * 100), torch.tensor([0] * 80 + [1] * 20))
    assert calibration.probabilities(log_ratios(2.0))[0, 0].item() == pytest.approx(0.8, abs=0.01)


def test_a_scale_changes_the_confidence_and_no_answer():
    scores = log_ratios(2.0, -2.0)
    offsets = torch.zeros(2)
    sure, unsure = (Calibration("threshold", offsets, scale).probabilities(scores) for scale in (2.0, 0.5))
    assert (sure[0, 0] > unsure[0, 0]).item()
    assert torch.equal(sure.argmax(1), unsure.argmax(1))
