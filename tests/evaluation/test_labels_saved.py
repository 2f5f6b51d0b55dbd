"""Labels saved, by hand."""

import numpy as np
import pytest

from caudex.evaluation.labels_saved import aggregate_draws, format_row, labels_needed


def test_labels_needed_by_hand():
    accuracy = {("supervised", 1): (0.4, 0.6, 0.5), ("supervised", 4): (0.7,) * 3, ("supervised", 0): (0.9,) * 3}
    accuracy |= {("free", 1): (0.55, 0.65, 0.6), ("free", 4): (0.95,) * 3}
    rows = [
        {"method": method, "labels": count, "draw": seed, "accuracy": right}
        for (method, count), rights in accuracy.items()
        for seed, right in enumerate(rights)
    ]
    rows_by_method = {(row["method"], row["labels"]): row for row in aggregate_draws(rows, max_labels=64)}
    few = rows_by_method["free", 1]
    # 0.6 lies halfway between 0.5 at one label and 0.7 at four: at two, by logarithms
    assert few["accuracy"] == pytest.approx(0.6) and few["labels_needed"] == pytest.approx(2)
    # gains of 0.15, 0.05 and 0.1: a mean of 0.1, and 4.303 * 0.05 / sqrt(3) on either side
    assert few["gain"] == pytest.approx(0.1) and few["gain_high"] == pytest.approx(
        0.1 + 4.303 * 0.05 / 3**0.5, rel=1e-3
    )
    assert (
        few["verdict"] == "not shown" and rows_by_method["free", 4]["verdict"] == "not shown"
    )  # gains without a spread
    assert rows_by_method["free", 4]["labels_needed"] is None  # better than all labels made supervised
    assert rows_by_method["supervised", 64]["gain"] == 0
    assert labels_needed(0.7, np.array([0.5, 0.7, 0.7]), [1, 4, 16]) == pytest.approx(4)  # not the end of a plateau
    assert labels_needed(0.4, np.array([0.5, 0.7]), [1, 4]) is labels_needed(0.8, np.array([0.5, 0.7]), [1, 4]) is None


def test_an_arrow_says_better_or_worse():
    accuracy = {
        "supervised": (0.5, 0.6, 0.55),
        "good": (0.61, 0.7, 0.66),
        "bad": (0.4, 0.49, 0.45),
        "same": (0.51, 0.59, 0.55),
    }
    cells = [
        {"method": method, "labels": 1, "draw": draw, "accuracy": value}
        for method, values in accuracy.items()
        for draw, value in enumerate(values)
    ]
    rows = {row["method"]: row for row in aggregate_draws(cells, max_labels=1)}
    assert {name: row["verdict"] for name, row in rows.items() if name != "supervised"} == {
        "good": "better", "bad": "worse", "same": "not shown"
    }  # fmt: skip
    assert rows["good"]["comparisons"] == 3
    assert "↑" in format_row(rows["good"]) and "↓" in format_row(rows["bad"])
