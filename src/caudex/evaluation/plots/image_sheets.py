"""Sheets of images: what a signal makes of them, which lie near each other, and a map of all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from caudex.core.run import Run
from caudex.data import ImageSet
from caudex.data.sampling import evenly


def sheet(run: Run, name: str, rows: Mapping[str, Tensor]) -> None:
    """A row of images [N, C, H, W], floats in [0, 1], for each name; equally many in each."""
    count = len(next(iter(rows.values())))
    with run.figure(name, count, len(rows), width=1.1, height=1.2) as axes:
        for line, (title, images) in zip(np.reshape(axes, (len(rows), count)), rows.items()):
            for axis, image in zip(line, images.detach().cpu().clamp(0, 1)):
                axis.imshow(image.permute(1, 2, 0).squeeze(-1), cmap="gray", vmin=0, vmax=1)
                axis.set(xticks=[], yticks=[])
            line[0].set_ylabel(title, size=9)


INK, GREY, RED, GREEN = "#1d2733", "#56636f", "#b3261e", "#1b7f4b"


class Line(NamedTuple):
    words: str
    size: float = 9.5
    colour: str = INK
    weight: str = "normal"


class Strip(NamedTuple):
    """Some lines of words, and square images beside them, each with a caption."""

    lines: Sequence[Line]
    images: Sequence[np.ndarray]  # uint8 [H, W, 3]
    captions: Sequence[str]


def strips(run: Run, name: str, title: str, rows: Sequence[Strip], side: int = 180, left: int = 250) -> None:
    """figures/NAME.png: the rows below each other; `side` of an image and width of the words in pixels."""
    gap, top, below = 6, 56, 34
    width = left + max(len(row.images) for row in rows) * (side + gap) + gap
    height = top + len(rows) * (side + below)
    with run.figure(name, width=width / 120, height=height / 120) as axis:
        axis.set_position((0, 0, 1, 1))
        axis.axis("off")
        axis.text(12, 30, title, size=12, weight="bold", va="center", color=INK)
        for number, row in enumerate(rows):
            upper = down = top + number * (side + below)
            for line in row.lines:
                down += 1.9 * line.size
                axis.text(12, down, line.words, size=line.size, color=line.colour, weight=line.weight, va="center")
                down += 0.9 * line.size
            for place, (image, caption) in enumerate(zip(row.images, row.captions)):
                x = left + place * (side + gap)
                axis.imshow(image, extent=(x, x + side, upper + side, upper), interpolation="antialiased")
                axis.text(x + side / 2, upper + side + 12, caption, size=7.5, color=GREY, ha="center", va="center")
        axis.set(xlim=(0, width), ylim=(height, 0), aspect="auto")


def nearest(run: Run, images: ImageSet, features: Tensor, count: int = 7) -> None:
    """The images whose features [N, D] are nearest to those of a few, by cosine: each row begins with the one asked."""
    unit = F.normalize(features, dim=1)
    asked = evenly(len(unit), 6)
    found = (unit[asked] @ unit.T).topk(min(1 + count, len(unit)), dim=1).indices  # [A, 1 + count], oneself first
    found[:, 0] = asked  # of several that are equal
    rows = {f"{name}": images.fetch(line).float() / 255 for name, line in zip("abcdef", found)}
    sheet(run, "nearest", rows)


def charted(run: Run, images: ImageSet, features: Tensor) -> None:
    """Features [N, D] laid out on a plane by t-SNE (van der Maaten and Hinton 2008), coloured by class where known."""
    from sklearn.manifold import TSNE

    if len(features) < 20:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        places = TSNE(perplexity=min(30, len(features) / 4), random_state=0, init="pca").fit_transform(features.numpy())
    with run.figure("map", width=6.0, height=5.0) as axis:
        classes = list(enumerate(images.classes)) if (images.labels >= 0).all() else []
        if not classes:
            axis.scatter(*places.T, s=8)
        for k, name in classes:
            axis.scatter(
                *places[images.labels.numpy() == k].T,
                s=8,
                label=name,
                color=f"C{k % 10}",
                marker="o^sDv"[k // 10 % 5],
            )
        axis.set(xticks=[], yticks=[])
        if 0 < len(classes) <= 25:
            axis.legend(fontsize=7, bbox_to_anchor=(1, 1))
