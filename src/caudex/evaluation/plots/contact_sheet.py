"""An episode as one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from caudex.core.run import Run

TITLE_HEIGHT = 0.35  # inches


def contact_sheet(images: Sequence[np.ndarray], columns: int = 6, rows: int = 2, width: int = 160) -> np.ndarray:
    """Some of the images, evenly spread in time, the first at the upper left: uint8 [H, W, 3]."""
    indices = np.linspace(0, len(images) - 1, min(columns * rows, len(images))).round().astype(int)
    small = [
        np.asarray(Image.fromarray(images[i]).resize((width, round(width * images[i].shape[0] / images[i].shape[1]))))
        for i in indices
    ]
    blank = np.full_like(small[0], 255)
    small += [blank] * (-len(small) % columns)
    lines = [np.concatenate(small[i : i + columns], 1) for i in range(0, len(small), columns)]
    return np.concatenate(lines, 0)


def plot_episode(run: Run, images: Sequence[np.ndarray], episode_return: float) -> None:
    """figures/episode.png."""
    sheet, width = contact_sheet(images), 9.0
    with run.figure("episode", width=width, height=width * sheet.shape[0] / sheet.shape[1] + TITLE_HEIGHT) as axis:
        axis.imshow(sheet)
        axis.set_title(f"an episode that earned {episode_return:,.1f}, from the upper left", size=9, loc="left")
        axis.axis("off")
