"""The decision boundaries of several classifiers of points in the plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from caudex.core.run import Run


def plot_decision_boundaries(
    run: Run, classifiers: Mapping[str, Callable], accuracies: Mapping[str, float], points: Tensor, labels: Tensor
) -> None:
    """figures/boundaries.png: a panel for each classifier, which maps points [N, 2] to the probability of class 1, [N];
    with all points and, large, those whose label is not -1."""
    (left, low), (right, high) = (points.amin(0) - 0.25).tolist(), (points.amax(0) + 0.25).tolist()
    x, y = torch.meshgrid(torch.linspace(left, right, 300), torch.linspace(low, high, 200), indexing="xy")
    with run.figure("boundaries", len(classifiers), width=4.4, height=3.05) as axes:
        for axis, (name, classifier) in zip(axes, classifiers.items()):
            probabilities = classifier(torch.stack([x, y], -1).flatten(0, 1)).reshape(x.shape)
            extent = (left, right, low, high)
            axis.imshow(
                probabilities, "RdBu", vmin=-0.8, vmax=1.8, extent=extent, origin="lower"
            )  # paler than the points
            axis.contour(x, y, probabilities, levels=[0.5], colors="black", linewidths=2)
            axis.scatter(*points.T, s=6, color="0.4", linewidths=0)
            for k, colour in ((0, "#b2182b"), (1, "#2166ac")):
                axis.scatter(*points[labels == k].T, 110, colour, "o^"[k], edgecolor="white", zorder=3)
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{name}: {accuracies[name]:.1%}", fontsize=15)
