"""How many labels a method saves: accuracies over draws of the labels, compared with supervised learning."""

from __future__ import annotations

import numpy as np

from caudex.evaluation.intervals import t_interval
from caudex.evaluation.verdicts import gain_without_spread, paired_gain, with_verdicts

MIN_DRAWS = 3
"""draws of the labels that an interval needs"""


def aggregate_draws(cells: list[dict], max_labels: float, reference: str = "supervised") -> list[dict]:
    """For each method and number of labels of each class: mean accuracy with interval over draws, the paired gain over the
    `reference`, and how many labels the reference needs for that mean, interpolated between logarithms (None beyond what was tried).

    A cell has method, labels (0: all, `max_labels` of each class), draw and accuracy. With fewer than three draws the interval is
    None, and no verdict is given: by Student's t it would be as wide as all that can be. The verdicts hold for all together.
    """

    def accuracies(method: str, count: int) -> dict[int, float]:
        return {cell["draw"]: cell["accuracy"] for cell in cells if (cell["method"], cell["labels"]) == (method, count)}

    counts = list(dict.fromkeys(cell["labels"] for cell in cells))
    num_labels = [count or max_labels for count in counts]
    means = [np.mean(list(accuracies(reference, count).values())) for count in counts]
    curve = np.maximum.accumulate(means)
    rows, gains = [], []
    for method in dict.fromkeys(cell["method"] for cell in cells):
        for count, labels in zip(counts, num_labels):
            if not (by_draw := accuracies(method, count)):
                continue
            baseline = accuracies(reference, count)
            mean, *interval = t_interval(list(by_draw.values()))
            gain = paired_gain(list(by_draw.values()), [baseline[draw] for draw in by_draw])
            if len(by_draw) < MIN_DRAWS:
                interval, gain = (None, None), gain_without_spread(gain.mean)
            row = {"method": method, "labels": labels, "accuracy": mean, "low": interval[0], "high": interval[1]}
            row |= {"draws": list(by_draw.values()), "labels_needed": labels_needed(mean, curve, num_labels)}
            rows.append(row)
            gains.append(gain)
    compared = [i for i, row in enumerate(rows) if row["method"] != reference]
    for i, gain in zip(compared, with_verdicts([gains[i] for i in compared])):
        gains[i] = gain
    for row, gain in zip(rows, gains):
        content = gain.to_json()
        row |= {"gain": gain.mean, "gain_low": content["low"], "gain_high": content["high"]}
        row |= {name: content[name] for name in ("p_value", "detectable", "verdict", "comparisons")}
    return rows


def labels_needed(accuracy: float, curve: np.ndarray, num_labels: list[float]) -> float | None:
    """The number of labels at which a rising curve first reaches the accuracy, between logarithms; None where it does not."""
    index = int(np.searchsorted(curve, accuracy - 1e-9))
    if index == len(curve) or accuracy < curve[0] - 1e-9:
        return None
    around = slice(max(0, index - 1), index + 1)
    return float(np.exp(np.interp(accuracy, curve[around], np.log(num_labels[around]))))


def format_row(row: dict | None, reference: str = "supervised") -> str:
    """A cell of the printed table: accuracy, an arrow for better or worse, and the labels needed."""
    if row is None:
        return "-"
    arrow = {"better": " ↑", "worse": " ↓"}.get(row["verdict"], "")
    equivalent = "" if row["method"] == reference or row["labels_needed"] is None else f" ={row['labels_needed']:.3g}"
    return f"{row['accuracy']:.1%}{arrow}{equivalent}"
