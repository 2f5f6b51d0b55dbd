"""A map of the features."""

from __future__ import annotations

import warnings

from torch import Tensor

from caudex.core.run import Run
from caudex.data import ImageSet


def plot_tsne(run: Run, images: ImageSet, features: Tensor) -> None:
    """figures/tsne.png: features [N, D] in two dimensions by t-SNE (van der Maaten and Hinton 2008), coloured by class where
    all images have one; nothing for fewer than 20 images."""
    from sklearn.manifold import TSNE

    if len(features) < 20:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        points = TSNE(perplexity=min(30, len(features) / 4), random_state=0, init="pca").fit_transform(features.numpy())
    with run.figure("tsne", width=6.0, height=5.0) as axis:
        classes = list(enumerate(images.classes)) if (images.labels >= 0).all() else []
        if not classes:
            axis.scatter(*points.T, s=8)
        for k, name in classes:
            colour, marker = f"C{k % 10}", "o^sDv"[k // 10 % 5]
            axis.scatter(*points[images.labels.numpy() == k].T, s=8, label=name, color=colour, marker=marker)
        axis.set(xticks=[], yticks=[])
        if 0 < len(classes) <= 25:
            axis.legend(fontsize=7, bbox_to_anchor=(1, 1))
