"""Exact quarter turns, without interpolation."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.operations import rows_of


def _require_square(pictures: Tensor) -> None:
    height, width = pictures.shape[-2:]
    if height != width:
        raise CaudexError(f"pictures of {height} x {width} do not fit themselves when turned; crop them to squares.")


def quarter_turns(pictures: Tensor, quarters: Tensor) -> Tensor:
    """Each picture turned counter-clockwise by its own number of quarters, exactly; the dtype stays."""
    _require_square(pictures)
    turned = pictures.clone()
    for quarter in (1, 2, 3):
        rows = rows_of(quarters % 4 == quarter)
        turned[rows] = torch.rot90(pictures[rows], quarter, (2, 3))
    return turned


def all_four_rotations(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """[4B, C, H, W] and their quarters [4B]: all unturned, then all turned once, ... (Gidaris et al. 2018)."""
    _require_square(pictures)
    turned = torch.cat([torch.rot90(pictures, quarter, (2, 3)) for quarter in range(4)])
    return turned, torch.arange(4, device=pictures.device).repeat_interleave(len(pictures))
