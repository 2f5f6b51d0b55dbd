"""The reliability diagram: what share of the predictions is right, by their confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from caudex.core.run import Run


def plot_reliability(run: Run, panels: Mapping[str, Sequence[Tensor]]) -> None:
    """figures/reliability.png: for each title (counts, confidence, accuracy), each [M], of bins of confidence.

    Above each bar stands how many predictions it is of; the line is what calibrated confidences would give.
    """
    from matplotlib.ticker import PercentFormatter

    with run.figure("reliability", len(panels)) as axes:
        for axis, (title, (counts, confidence, accuracy)) in zip(np.ravel(axes), panels.items()):
            num_bins = len(counts)
            left = np.arange(num_bins) / num_bins
            axis.bar(left, accuracy, 1 / num_bins, align="edge", color="C0", edgecolor="white", label="right")
            is_filled = counts > 0
            axis.plot(confidence[is_filled], confidence[is_filled], "_", color="C3", ms=9, mew=2, label="confidence")
            axis.plot((0, 1), (0, 1), ":", color="gray")
            for x, height, count in zip(left, accuracy.tolist(), counts.tolist()):
                if count:
                    axis.text(x + 0.5 / num_bins, height + 0.01, f"{count:,}", size=6, ha="center", va="bottom")
            axis.set(title=title, xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.08))
            axis.xaxis.set_major_formatter(PercentFormatter(1))
            axis.yaxis.set_major_formatter(PercentFormatter(1))
            axis.legend(fontsize=7, loc="upper left")
