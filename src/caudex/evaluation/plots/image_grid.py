"""Rows of images, each with a name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from caudex.core.run import Run


def plot_image_grid(run: Run, name: str, rows: Mapping[str, Tensor]) -> None:
    """figures/NAME.png: a row of images [N, C, H, W], floats in [0, 1], for each row name; N is the same for all."""
    count = len(next(iter(rows.values())))
    with run.figure(name, count, len(rows), width=1.1, height=1.2) as axes:
        for line, (title, images) in zip(np.reshape(axes, (len(rows), count)), rows.items()):
            for axis, image in zip(line, images.detach().cpu().clamp(0, 1)):
                axis.imshow(image.permute(1, 2, 0).squeeze(-1), cmap="gray", vmin=0, vmax=1)
                axis.set(xticks=[], yticks=[])
            line[0].set_ylabel(title, size=9)
