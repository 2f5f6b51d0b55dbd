"""Exact quarter turns, without interpolation."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.operations import true_rows


def _require_square(images: Tensor) -> None:
    height, width = images.shape[-2:]
    if height != width:
        raise CaudexError(f"images of {height} x {width} do not fit themselves when rotated; crop them to squares.")


def quarter_turns(images: Tensor, quarters: Tensor) -> Tensor:
    """Rotate each image counter-clockwise by its number of quarter turns, exactly; the dtype stays."""
    _require_square(images)
    rotated = images.clone()
    for quarter in (1, 2, 3):
        rows = true_rows(quarters % 4 == quarter)
        rotated[rows] = torch.rot90(images[rows], quarter, (2, 3))
    return rotated


def all_four_rotations(images: Tensor) -> tuple[Tensor, Tensor]:
    """[4B, C, H, W] and their quarter turns [4B]: first all by 0, then all by 1, ... (Gidaris et al. 2018)."""
    _require_square(images)
    rotated = torch.cat([torch.rot90(images, quarter, (2, 3)) for quarter in range(4)])
    return rotated, torch.arange(4, device=images.device).repeat_interleave(len(images))
