"""Strips: lines of text with a row of images next to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from caudex.core.run import Run

INK, GREY, RED, GREEN = "#1d2733", "#56636f", "#b3261e", "#1b7f4b"


class TextLine(NamedTuple):
    text: str
    size: float = 9.5
    colour: str = INK
    weight: str = "normal"


class ImageStrip(NamedTuple):
    """Lines of text, and square images to the right of them, each with a caption."""

    lines: Sequence[TextLine]
    images: Sequence[np.ndarray]  # uint8 [H, W, 3]
    captions: Sequence[str]


def plot_image_strips(
    run: Run, name: str, title: str, strips: Sequence[ImageStrip], side: int = 180, left: int = 250
) -> None:
    """figures/NAME.png: the strips below each other; `side` of an image and width `left` of the text in pixels."""
    gap, top, below = 6, 56, 34
    width = left + max(len(strip.images) for strip in strips) * (side + gap) + gap
    height = top + len(strips) * (side + below)
    with run.figure(name, width=width / 120, height=height / 120) as axis:
        axis.set_position((0, 0, 1, 1))
        axis.axis("off")
        axis.text(12, 30, title, size=12, weight="bold", va="center", color=INK)
        for number, strip in enumerate(strips):
            upper = y = top + number * (side + below)
            for line in strip.lines:
                y += 1.9 * line.size
                axis.text(12, y, line.text, size=line.size, color=line.colour, weight=line.weight, va="center")
                y += 0.9 * line.size
            for column, (image, caption) in enumerate(zip(strip.images, strip.captions)):
                x = left + column * (side + gap)
                axis.imshow(image, extent=(x, x + side, upper + side, upper), interpolation="antialiased")
                axis.text(x + side / 2, upper + side + 12, caption, size=7.5, color=GREY, ha="center", va="center")
        axis.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
