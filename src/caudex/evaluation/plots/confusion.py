"""The confusion matrix of a classifier."""

from __future__ import annotations

import numpy as np

from caudex.core.run import Run


def plot_confusion(run: Run, counts: np.ndarray, classes: tuple[str, ...]) -> None:
    """figures/confusion.png from counts [K, K]; row: label, column: prediction."""
    size = max(3.6, 0.38 * len(classes) + 1.6)
    with run.figure("confusion", width=size, height=size) as axes:
        axes.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="predicted", ylabel="label", xticks=range(len(classes)), yticks=range(len(classes)))
        axes.set_xticklabels(classes, rotation=90 if max(map(len, classes)) > 2 else 0)
        axes.set_yticklabels(classes)
        if len(classes) <= 20:
            for (i, j), count in np.ndenumerate(counts):
                if count:
                    color = "white" if count > counts[i].sum() / 2 else "black"
                    axes.text(j, i, count, ha="center", va="center", size=7, color=color)
