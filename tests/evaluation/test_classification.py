"""Accuracies, their paired gain, and the confusion matrix, by hand."""

import pytest
import torch
from helpers.trainings import quiet_run
from torch import nn

from caudex.data import ImageSet, InMemoryImages
from caudex.evaluation.classification import (
    accuracy_gain,
    classification_rows,
    confusion_matrix,
    evaluate_columns,
    evaluate_predictions,
    majority_warning,
)
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
    gain = accuracy_gain(
        FixedClassifier([0, 0, 1, 0]), FixedClassifier([0, 1, 0, 0]), test
    )  # right: 1 1 1 0 against 1 0 0 0
    half = 3.1824 * (1 / 3) ** 0.5 / 2  # of 0 1 1 0: deviation sqrt(1/3); t with three degrees of freedom
    assert [gain[name] for name in ("gain", "low", "high")] == pytest.approx([0.5, 0.5 - half, 0.5 + half], abs=1e-4)
    assert gain["verdict"] == "not shown"
    assert accuracy_gain(None, None, test.take([1])) == {}


def test_a_constant_prediction_cannot_look_good():
    labels = torch.tensor([0] * 83 + [1] * 17)
    predictions = torch.tensor([0] * 82 + [1] + [0] * 17)  # one of the many is wrong, all of the few are
    row = evaluate_predictions(labels, predictions, ("ham", "spam"))
    assert (row["accuracy"], row["majority"]["accuracy"]) == (pytest.approx(0.82), pytest.approx(0.83))
    assert row["recall"]["ham"]["recall"] == pytest.approx(82 / 83) and row["recall"]["spam"]["recall"] == 0
    assert row["macro_f1"] == pytest.approx((2 * 82 / (82 + 83 + 99 - 82)) / 2, abs=0.01)  # of spam it is 0
    table = {name: cells for name, *cells in classification_rows({"network": row})}
    assert table["network"][-1] == f"{row['macro_f1']:.1%}"
    assert table["one class for all: ham"][0] == "83.0%"
    assert table["recall of spam"][:2] == ["0.0%", "0.0% to 18.4% of 17"]
    (warning,) = majority_warning("the network", row)
    assert "not shown to be better than predicting 'ham' for all (82.0% against 83.0%)" in warning
    assert majority_warning("the network", evaluate_predictions(labels, labels, ("ham", "spam"))) == []


def test_further_columns_are_measured_where_their_labels_are_known(tmp_path):
    class Colours(nn.Module):
        columns = {"colour": ("blue", "red")}  # noqa: RUF012

        def column_probabilities(self, test):
            return {"colour": one_hot(torch.tensor([0, 1, 1, 1]), 2)}

    columns = {"colour": (torch.tensor([0, 0, 1, -1]), ("blue", "red"))}
    store = InMemoryImages(torch.zeros(4, 1, 4, 4, dtype=torch.uint8), "abcd")
    test = ImageSet(store, torch.tensor([0, 0, 1, 1]), ("n", "y"), columns)
    (row,) = evaluate_columns(quiet_run(tmp_path), Colours(), test, "network").values()
    assert (row["column"], row["accuracy"], row["test_size"]) == ("colour", pytest.approx(2 / 3), 3)
    assert row["majority"] == {"class": "blue", "accuracy": pytest.approx(2 / 3)}
    table = dict(row[:2] for row in classification_rows({"network, colour": row}))
    assert table["one class for all of colour: blue"] == "66.7%"
    columns["colour"] = (torch.full((4,), -1), ("blue", "red"))
    unknown = evaluate_columns(quiet_run(tmp_path), Colours(), test, "network")
    assert unknown == {"network, colour": {"column": "colour"}} and classification_rows(unknown) == []


def test_of_many_classes_the_worst_are_listed():
    labels = torch.arange(200) % 20
    predictions = torch.where(labels >= 17, 0, labels)
    row = evaluate_predictions(labels, predictions, tuple(f"c{k}" for k in range(20)))
    names = [name for name, *_ in classification_rows({"network": row}) if name.startswith("recall")]
    assert len(names) == 5 and {f"recall of c{k}, among the worst" for k in (17, 18, 19)} <= set(names)


def test_confusion_counts_labels_by_predictions():
    assert confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]
