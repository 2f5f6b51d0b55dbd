"""Average precision, R squared and their baselines, by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, r2_score

from caudex.data import ImageSet, InMemoryImages
from caudex.evaluation.targets import (
    average_precision,
    evaluate_numbers,
    evaluate_tags,
    target_rows,
    target_warnings,
)


def tagged(labels):
    labels = torch.tensor(labels, dtype=torch.float32)
    store = InMemoryImages(torch.zeros(len(labels), 1, 4, 4, dtype=torch.uint8), [str(i) for i in range(len(labels))])
    return ImageSet(store, labels, ("a", "b", "c"), target="tags")


def test_average_precision_by_hand_and_as_scikit_learn_has_it():
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(labels, scores) == pytest.approx((1 / 1 + 2 / 3) / 2)
    noise = np.random.default_rng(0)
    labels, scores = noise.integers(0, 2, (5, 40)), noise.random((5, 40))
    expected = [average_precision_score(*pair) for pair in zip(labels, scores)]
    assert average_precision(labels, scores) == pytest.approx(np.array(expected))
    assert np.isnan(average_precision(np.zeros(3), np.arange(3)))


def test_tags_that_are_told_by_their_scores_and_one_that_no_test_image_has():
    labels = [[1, 1, 0]] * 10 + [[0, 1, 0]] * 10 + [[0, 0, 0]] * 20
    probabilities = np.stack([np.linspace(1, 0, 40), np.linspace(0, 1, 40), np.full(40, 0.5)], 1)
    row = evaluate_tags(tagged(labels), probabilities)
    assert row["by_tag"]["a"] == {"average_precision": 1.0, "share": 0.25, "count": 10}
    worst = np.mean([i / (20 + i) for i in range(1, 21)])  # of b, all without it come first
    assert row["by_tag"]["b"]["average_precision"] == pytest.approx(worst)
    assert row["mean_average_precision"] == pytest.approx((1 + worst) / 2)
    assert row["share"] == pytest.approx((0.25 + 0.5) / 2) and row["untested"] == ["c"]
    assert row["low"] < row["mean_average_precision"] < row["high"]
    table = {name: cells for name, *cells in target_rows({"network": {"tags": row}})}
    assert table["network: mean of tags"][::2] == [f"{(1 + worst) / 2:.1%}", "37.5%"]
    assert table["a, on 10 tested"] == ["100.0%", "", "25.0%"]
    assert target_warnings({"network": {"tags": row}}) == ["no test image has 'c': learned, and not measured."]


def test_random_scores_are_warned_of():
    labels = np.random.default_rng(0).integers(0, 2, (60, 3))
    row = evaluate_tags(tagged(labels.tolist()), np.random.default_rng(1).random((60, 3)))
    assert target_warnings({"network": {"tags": row}}) == [
        "network is not shown to be better than random scores: look at each tag."
    ]
    assert "mean_average_precision" not in evaluate_tags(tagged([[0, 0, 0]] * 4), np.full((4, 3), 0.5))


def test_r_squared_and_absolute_error_beside_those_of_the_mean():
    noise = np.random.default_rng(0)
    labels = noise.normal(50, 10, 80)
    predictions = labels + noise.choice([-2.0, 2.0], 80)
    row = evaluate_numbers(labels, predictions, 50.0)
    assert row["r_squared"] == pytest.approx(r2_score(labels, predictions))
    assert row["absolute_error"] == pytest.approx(2) and row["absolute_error_interval"] == pytest.approx([2, 2])
    assert row["error_of_mean"] == pytest.approx(np.abs(labels - 50).mean())
    assert row["gain_over_mean"]["gain"] == pytest.approx(row["error_of_mean"] - 2)
    assert row["r_squared_interval"][0] < row["r_squared"] < row["r_squared_interval"][1]
    results = {"network": {"number": row | {"name": "age"}}}
    table = {name: cells for name, *cells in target_rows(results)}
    assert table["network: mean absolute error, of 80"] == ["2", "2 to 2"] and target_rows(results)[0][1] == "age"
    assert target_warnings(results) == []
    sky = {"column": "sky", "majority": {"class": "no", "accuracy": 0.5}}
    sky |= {"accuracy": 0.75, "low": 0.5, "high": 0.9, "test_size": 8}
    assert target_rows(results | {"network, sky": sky})[-2:] == [
        ("network, sky: accuracy", "75.0%", "50.0% to 90.0% of 8"),
        ("one class for all of sky: no", "50.0%", ""),
    ]


def test_predicting_the_mean_has_no_r_squared_and_is_warned_of():
    labels = np.arange(20.0)
    row = evaluate_numbers(labels, np.full(20, 9.5), 9.5)
    assert row["r_squared"] == pytest.approx(0) and row["gain_over_mean"]["gain"] == 0
    assert target_warnings({"network": {"number": row | {"name": "age"}}}) == [
        "network is not shown to be better than predicting the mean for all."
    ]
    assert evaluate_numbers(np.ones(5), np.zeros(5), 1.0)["r_squared"] is None
