"""Images of a dataset with a caption above each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caudex.core.run import Run
from caudex.data import ImageSet


def plot_captioned_images(
    run: Run, name: str, images: ImageSet, rows: Tensor, captions: list[str], columns: int = 4
) -> None:
    """figures/NAME.png: these rows of the image set, in the given order; nothing where there are none."""
    if len(rows) == 0:
        return
    lines = -(-len(rows) // columns)
    with run.figure(name, columns, lines, width=1.2, height=1.5) as axes:
        for axis in np.ravel(axes):
            axis.axis("off")
        for axis, image, caption in zip(np.ravel(axes), images.fetch(torch.as_tensor(rows)), captions):
            axis.imshow(image.permute(1, 2, 0).squeeze(-1), cmap="gray", vmin=0, vmax=255)
            axis.set_title("\n".join(line[:16] for line in caption.split("\n")), size=8)
