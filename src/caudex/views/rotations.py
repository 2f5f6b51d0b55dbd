"""Exact quarter turns, without interpolation."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.operations import rows_of


def _require_square(images: Tensor) -> None:
    height, width = images.shape[-2:]
    if height != width:
        raise CaudexError(f"images of {height} x {width} do not fit themselves when turned; crop them to squares.")


def quarter_turns(images: Tensor, quarters: Tensor) -> Tensor:
    """Each image turned counter-clockwise by its own number of quarters, exactly; the dtype stays."""
    _require_square(images)
    turned = images.clone()
    for quarter in (1, 2, 3):
        rows = rows_of(quarters % 4 == quarter)
        turned[rows] = torch.rot90(images[rows], quarter, (2, 3))
    return turned


def all_four_rotations(images: Tensor) -> tuple[Tensor, Tensor]:
    """[4B, C, H, W] and their quarters [4B]: all unturned, then all turned once, ... (Gidaris et al. 2018)."""
    _require_square(images)
    turned = torch.cat([torch.rot90(images, quarter, (2, 3)) for quarter in range(4)])
    return turned, torch.arange(4, device=images.device).repeat_interleave(len(images))
