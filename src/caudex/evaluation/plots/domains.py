"""Two domains: how well each arm does on the target, and features before and after, coloured by domain."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from caudex.core.run import Run

COLOURS = {"source": "#2a6fbb", "target": "#c8372d"}


def plot_accuracies(run: Run, arms: Mapping[str, Mapping], floor: str, ceiling: str) -> None:
    """figures/accuracies.png: a bar for each arm with its 95% interval; lines at the arms `floor` and `ceiling`, where there are such: the
    gap to be closed."""
    from matplotlib.ticker import PercentFormatter

    with run.figure("accuracies", width=6.0, height=0.5 * len(arms) + 1.2) as axis:
        means = [row["accuracy"] for row in arms.values()]
        errors = [
            [row["accuracy"] - row["low"] for row in arms.values()],
            [row["high"] - row["accuracy"] for row in arms.values()],
        ]
        axis.barh(list(arms), means, xerr=errors, color="#6a8fb5", capsize=2)
        for name, style in ((floor, "--"), (ceiling, "-")):
            if name in arms:
                axis.axvline(arms[name]["accuracy"], color="black", lw=1, ls=style, label=name)
        axis.set(xlabel="accuracy on the target", xlim=(0, 1))
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.invert_yaxis()
        axis.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def plot_domain_features(run: Run, arms: Mapping[str, tuple[Tensor, Tensor]], max_count: int = 300) -> None:
    """figures/domain-features.png: features of source and target [N, W] of each arm in two dimensions by t-SNE, coloured by domain
    (after Ganin et al. 2016, section 5.2.3)."""
    from sklearn.manifold import TSNE

    with run.figure("domain-features", columns=len(arms), width=4.0, height=4.0) as axes:
        for axis, (name, domains) in zip(axes, arms.items()):
            parts = [
                features[torch.linspace(0, len(features) - 1, min(max_count, len(features))).long()]
                for features in domains
            ]
            points = torch.cat(parts).numpy()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                points = TSNE(perplexity=min(30, len(points) / 4), random_state=0, init="pca").fit_transform(points)
            counts = (slice(len(parts[0])), slice(len(parts[0]), None))
            for (domain, colour), rows in zip(COLOURS.items(), counts):
                axis.scatter(*points[rows].T, s=6, color=colour, label=domain)
            axis.set(xticks=[], yticks=[], title=name)
        axes[0].legend(fontsize=8, loc="upper left")
