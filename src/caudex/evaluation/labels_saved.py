"""How many labels a method saves: accuracies over draws of the labels, compared with supervised learning."""

from __future__ import annotations

import numpy as np

from caudex.evaluation.intervals import paired_interval, t_interval

MIN_DRAWS = 3
"""draws of the labels that an interval needs"""


def aggregate_draws(cells: list[dict], max_labels: float) -> list[dict]:
    """For each method and number of labels of each class: mean accuracy with interval over draws, the paired gain over supervised,
    and how many labels supervised needs for that mean, interpolated between logarithms (None beyond what was tried).

    A cell has method, labels (0: all, `max_labels` of each class), draw and accuracy. With fewer than three draws the interval is
    None: by Student's t it would be as wide as all that can be.
    """

    def accuracies(method: str, count: int) -> dict[int, float]:
        return {cell["draw"]: cell["accuracy"] for cell in cells if (cell["method"], cell["labels"]) == (method, count)}

    counts = list(dict.fromkeys(cell["labels"] for cell in cells))
    num_labels = [count or max_labels for count in counts]
    supervised = [np.mean(list(accuracies("supervised", count).values())) for count in counts]
    curve = np.maximum.accumulate(supervised)
    rows = []
    for method in dict.fromkeys(cell["method"] for cell in cells):
        for count, labels in zip(counts, num_labels):
            if not (by_draw := accuracies(method, count)):
                continue
            baseline = accuracies("supervised", count)
            mean, *interval = t_interval(list(by_draw.values()))
            gain, *gain_interval = paired_interval(list(by_draw.values()), [baseline[draw] for draw in by_draw])
            if len(by_draw) < MIN_DRAWS:
                interval = gain_interval = None, None
            row = {"method": method, "labels": labels, "accuracy": mean, "low": interval[0], "high": interval[1]}
            row |= {"gain": gain, "gain_low": gain_interval[0], "gain_high": gain_interval[1]}
            rows.append(
                row | {"draws": list(by_draw.values()), "labels_needed": labels_needed(mean, curve, num_labels)}
            )
    return rows


def labels_needed(accuracy: float, curve: np.ndarray, num_labels: list[float]) -> float | None:
    """The number of labels at which a rising curve first reaches the accuracy, between logarithms; None where it does not."""
    index = int(np.searchsorted(curve, accuracy - 1e-9))
    if index == len(curve) or accuracy < curve[0] - 1e-9:
        return None
    around = slice(max(0, index - 1), index + 1)
    return float(np.exp(np.interp(accuracy, curve[around], np.log(num_labels[around]))))


def format_row(row: dict | None) -> str:
    """A cell of the printed table: accuracy, an arrow where a gain or a loss is shown, and the labels needed."""
    if row is None:
        return "-"
    low, high = row["gain_low"], row["gain_high"]
    arrow = ""
    if low is not None and high - low >= 1e-6:  # equal gains have no interval
        arrow = " ↑" if low > 0 else " ↓" if high < 0 else ""
    equivalent = (
        "" if row["method"] == "supervised" or row["labels_needed"] is None else f" ={row['labels_needed']:.3g}"
    )
    return f"{row['accuracy']:.1%}{arrow}{equivalent}"
