"""Views of frames of games and robots: any number of channels, for a stack of frames is one image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from caudex.views.draw import Draw


@dataclass(frozen=True)
class Moved:
    """Frames [B, C, H, W] moved by up to `pixels` each way, all of a stack alike; the edges are repeated, the type stays.

    The random crop of Laskin et al. 2020, section 4.3, in the form of Kostrikov et al. 2021, section 3.1.
    """

    pixels: int = 4

    def __call__(self, frames: Tensor, draw: Draw) -> Tensor:
        sides = frames.shape[2:]
        moves = draw.integers(2 * self.pixels + 1, 2) - self.pixels  # [B, 2]
        steps = (torch.arange(side, device=moves.device) + move[:, None] for side, move in zip(sides, moves.unbind(1)))
        rows, columns = (step.clamp(0, side - 1) for side, step in zip(sides, steps))
        places = (rows[:, :, None] * sides[1] + columns[:, None, :]).flatten(1)[:, None]  # [B, 1, HW]
        return frames.flatten(2).gather(2, places.expand(-1, frames.shape[1], -1)).view_as(frames)
