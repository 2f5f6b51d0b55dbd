"""Test pseudo-labels on the labels that are known but hidden."""

from __future__ import annotations

from torch import Tensor

from caudex.core.run import Run
from caudex.data import ImageSet
from caudex.evaluation.plots.image_tiles import plot_image_tiles


def evaluate_pseudo_labels(
    run: Run, name: str, images: ImageSet, rows: Tensor, predictions: Tensor, confidence: Tensor
) -> float:
    """Accuracy over those rows [M] whose label is known but hidden, nan without any; `predictions` and `confidence` are [N].

    figures/NAME.png shows the most confident errors.
    """
    truth = images.hidden_labels
    if truth is None or not (truth[rows] >= 0).any():
        return float("nan")
    rows = rows[truth[rows] >= 0]
    correct = truth[rows] == predictions[rows]
    errors = rows[~correct].unique()
    errors = errors[confidence[errors].argsort(descending=True)][:16]
    captions = [f"{images.classes[predictions[i]][:11]} {confidence[i]:.0%}" for i in errors]
    if len(errors):
        plot_image_tiles(run, name, images.fetch(errors), 4, captions)
    return correct.float().mean().item()
