"""Predicted numbers against the true ones."""

from __future__ import annotations

import numpy as np

from caudex.core.run import Run


def plot_predicted_numbers(run: Run, labels: np.ndarray, predictions: np.ndarray, name: str) -> None:
    """figures/predicted-numbers.png: a point for each test image; on the dotted line the prediction is right."""
    with run.figure("predicted-numbers", width=4.2, height=4.0) as axis:
        axis.plot(labels, predictions, ".", ms=5, alpha=0.6)
        ends = [min(labels.min(), predictions.min()), max(labels.max(), predictions.max())]
        axis.plot(ends, ends, ":", color="gray")
        axis.set(xlabel=name or "number", ylabel="predicted")
