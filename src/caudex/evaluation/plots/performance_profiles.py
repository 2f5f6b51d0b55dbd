"""Performance profiles of several systems."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from caudex.core.disk import write_atomically
from caudex.evaluation.intervals import Scores, bootstrap_interval, iqm, performance_profile


def plot_performance_profiles(file: Path, scores: Mapping[str, Scores]) -> None:
    """The share of the runs above each normalised return (Agarwal et al. 2021, section 4.2), with 95% bands where there are
    enough seeds; the IQM stands next to the name."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    returns = np.concatenate([env for system_scores in scores.values() for env in system_scores])
    levels = np.linspace(min(0.0, returns.min()) - 0.02, max(1.0, returns.max()) + 0.02, 201)
    figure = Figure((6.5, 4.2 + 0.2 * len(scores)), dpi=120, layout="constrained")
    axis = figure.subplots()
    for name, system_scores in scores.items():
        label = f"{name}: IQM {iqm(system_scores):.2f}, {sum(map(len, system_scores))} runs"
        profile = performance_profile(system_scores, levels)
        (line,) = axis.step(levels, profile, where="post", label=label, lw=1.6)
        band = bootstrap_interval(lambda sample: performance_profile(sample, levels), system_scores, resamples=2000)
        if band is not None:
            axis.fill_between(levels, *band, step="post", alpha=0.15, color=line.get_color(), lw=0)
    for level in (0, 1):
        axis.axvline(level, color="gray", lw=0.8, ls=":")
    axis.set(xlabel="normalised return: 0 at random, 1 good", ylabel="share of runs above it", ylim=(0, 1.02))
    axis.set(xlim=(levels[0], levels[-1]))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower center", fontsize=8, frameon=False)
    image = BytesIO()
    figure.savefig(image, format="png")
    write_atomically(file, image.getvalue())
