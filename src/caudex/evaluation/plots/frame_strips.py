"""Frames of videos, a row for each video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from caudex.core.run import Run


def plot_frame_strips(run: Run, name: str, titles: Sequence[str], strips: Tensor) -> None:
    """figures/NAME.png: strips of frames [N, T, C, H, W], floats in [0, 1]; a title above each of the T columns."""
    with run.figure(name, len(titles), len(strips), width=1.1, height=1.2) as axes:
        for row, (line, strip) in enumerate(zip(np.atleast_2d(axes), strips)):
            for axis, frame, title in zip(line, strip, titles):
                axis.imshow(frame.permute(1, 2, 0).squeeze(-1), cmap="gray", vmin=0, vmax=1)
                axis.axis("off")
                if row == 0:
                    axis.set_title(title, size=9)
