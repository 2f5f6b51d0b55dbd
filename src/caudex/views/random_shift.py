"""The random shift of DrQ and CURL, for frames of games and robots: a stack of frames is one image of many channels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from caudex.views.draw import Draw
from caudex.views.operations import gather_pixels, shifted_coordinates


@dataclass(frozen=True)
class RandomShift:
    """Frames [B, C, H, W] moved by up to `pixels` each way, all of a stack alike; the edges are repeated, the type stays.

    The random crop of Laskin et al. 2020, section 4.3, in the form of Kostrikov et al. 2021, section 3.1.
    """

    pixels: int = 4

    def __call__(self, frames: Tensor, draw: Draw) -> Tensor:
        sides = frames.shape[2:]
        coordinates = shifted_coordinates(draw, self.pixels, sides)
        rows, columns = (axis.clamp(0, side - 1) for side, axis in zip(sides, coordinates))
        return gather_pixels(frames, rows, columns)
