"""Expected calibration error and temperature, by hand."""

import math

import pytest
import torch
from helpers.trainings import quiet_run
from hypothesis import given
from hypothesis import strategies as st

from caudex.evaluation.calibration import (
    evaluate_calibration,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
)
from caudex.evaluation.classification import classification_rows, evaluate_predictions


def test_the_error_is_the_distance_of_confidence_and_accuracy_weighed_by_the_bins():
    confidence = torch.tensor([0.9, 0.9, 0.9, 0.62])
    probabilities = torch.stack([confidence, 1 - confidence], 1)
    bins = reliability_bins(probabilities, torch.tensor([0, 1, 1, 0]))  # of the first three one is right
    assert bins.counts.tolist() == [0] * 9 + [1] + [0] * 3 + [3, 0]
    assert bins.accuracy[13].item() == pytest.approx(1 / 3) and bins.confidence[13].item() == pytest.approx(0.9)
    assert expected_calibration_error(bins) == pytest.approx(0.75 * (0.9 - 1 / 3) + 0.25 * (1 - 0.62))


def test_full_confidence_is_in_the_last_bin_and_a_bin_holds_its_upper_end():
    probabilities = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    assert reliability_bins(probabilities, torch.tensor([0, 0]), num_bins=2).counts.tolist() == [1, 1]


def test_confidences_that_are_the_share_that_is_right_have_no_error():
    probabilities = torch.tensor([[0.75, 0.25]] * 400)
    labels = torch.tensor([0, 0, 0, 1] * 100)
    assert expected_calibration_error(reliability_bins(probabilities, labels)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("margin", "right"), [(4.0, 0.75), (0.5, 0.9)])
def test_the_temperature_of_two_classes(margin, right):
    # all logits are (margin, 0), and `right` of the labels are 0: the likelihood is greatest where sigmoid(margin / T) = right
    labels = (torch.arange(10_000) >= 10_000 * right).long()
    temperature = fit_temperature(torch.tensor([[margin, 0.0]] * 10_000), labels)
    assert temperature == pytest.approx(margin / math.log(right / (1 - right)), rel=0.01)


def test_a_few_labels_that_are_all_right_do_not_make_confidences_certain():
    temperature = fit_temperature(torch.tensor([[2.0, 0.0]] * 20), torch.zeros(20, dtype=torch.long))
    assert 0.3 < temperature < 0.7


@given(st.integers(0, 1000), st.floats(0.05, 20))
def test_no_prediction_changes(seed, temperature):
    logits = 5 * torch.randn(200, 4, generator=torch.Generator().manual_seed(seed))
    assert torch.equal((logits / temperature).softmax(1).argmax(1), logits.argmax(1))


def test_both_errors_are_in_the_results_the_table_and_a_figure(tmp_path):
    run = quiet_run(tmp_path)
    logits, labels = torch.tensor([[4.0, 0.0]] * 100), (torch.arange(100) >= 75).long()
    row = evaluate_calibration(run, logits, 4 / math.log(3), labels)
    assert row["uncalibrated_error"] == pytest.approx(1 / (1 + math.exp(-4)) - 0.75)
    assert row["calibration_error"] == pytest.approx(0, abs=1e-6)
    assert (tmp_path / "figures" / "reliability.png").stat().st_size > 1000
    results = {"network": evaluate_predictions(labels, logits.argmax(1), ("a", "b")) | row}
    table = {name: cells for name, *cells in classification_rows(results)}
    assert table["expected calibration error of confidences"][:2] == ["0.0%", "uncalibrated 23.2%, temperature 3.64"]
