"""Tiles of images, and the orders to shuffle them into (for jigsaw puzzles)."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.draw import as_float


def cut_tiles(images: Tensor, grid: int, corners: Tensor | None, side: int) -> Tensor:
    """One tile out of each cell of a grid x grid division: [B, grid * grid, C, side, side], row by row, exact pixels.

    `corners` int64 [B, grid * grid, 2] say where in its cell a tile begins (row, column); None takes the middles. The
    gap and the jitter between tiles keep edges from giving the puzzle away (Noroozi and Favaro 2016, section 4.2).
    A remainder of rows and columns that the grid does not divide is left out.
    """
    batch, channels, height, width = images.shape
    cells = (height // grid, width // grid) if grid > 0 else (0, 0)
    if not 1 <= side <= min(cells):
        example = f"side={max(1, min(cells) * 6 // 7)}" if min(cells) else "grid=1"
        raise CaudexError(
            f"a {grid} x {grid} grid on images of {height} x {width} has cells of {cells[0]} x {cells[1]}, "
            f"which hold no tile of side {side}; try {example}."
        )
    device = images.device
    max_corner = torch.tensor(cells, device=device) - side  # the last that keeps the tile in its cell
    if corners is None:
        corners = (max_corner // 2).expand(1, grid * grid, 2)
    elif corners.shape != (batch, grid * grid, 2) or ((corners < 0) | (corners > max_corner)).any():
        raise CaudexError(
            f"corners of shape {list(corners.shape)} from {corners.min()} to {corners.max()} do not fit; give "
            f"[{batch}, {grid * grid}, 2] from 0 to ({max_corner[0]}, {max_corner[1]}), so that each tile stays in its cell."
        )
    origins = torch.cartesian_prod(*[torch.arange(grid, device=device)] * 2) * torch.tensor(cells, device=device)
    rows, columns = ((origins + corners)[..., None] + torch.arange(side, device=device)).unbind(2)  # [B, P, side]
    pixels = (rows[..., :, None] * width + columns[..., None, :]).flatten(1)  # [B, P * side * side]
    tiles = images.flatten(2).gather(2, pixels[:, None].expand(batch, channels, -1))
    return tiles.view(batch, channels, grid * grid, side, side).transpose(1, 2)


def normalise_tiles(tiles: Tensor) -> Tensor:
    """Each channel of each tile [..., H, W] on its own to mean 0 and standard deviation 1; a flat one becomes zeros.

    Otherwise similar brightness and contrast give neighbours away (Noroozi and Favaro 2016, section 4.2).
    """
    tiles = as_float(tiles)
    centred = tiles - tiles[..., :1, :1]  # a flat tile is now 0, whatever the rounding of its mean
    centred = centred - centred.mean((-2, -1), keepdim=True)
    # a tile flat but for rounding is not blown up; one 8-bit level in one of 64 x 64 pixels has variance 4e-9
    return centred / centred.square().mean((-2, -1), keepdim=True).clamp(min=1e-10).sqrt()


def permute_tiles(tiles: Tensor, order: Tensor) -> Tensor:
    """Tiles [B, P, ...] in the order [B, P]: tile order[i] comes to position i.

    `order.argsort(1)` puts them back.
    """
    return tiles[torch.arange(len(tiles), device=tiles.device)[:, None], order]


def distant_permutations(count: int, pieces: int) -> Tensor:
    """int64 [count, pieces]: orders far from each other, so that a puzzle has one answer.

    Selected greedily by the largest mean Hamming distance to those already selected (Noroozi and Favaro 2016, algorithm
    1), from the identity on; ties go to the largest minimum distance, then to the first in lexical order.
    """
    if not 1 <= pieces <= 9:
        raise CaudexError(f"orders of {pieces} pieces cannot all be weighed; take 1 to 9, a grid of at most 3 x 3.")
    possible = math.factorial(pieces)
    if not 1 <= count <= possible:
        raise CaudexError(f"{pieces} pieces have {possible:,} orders, not {count:,}; take 1 to {possible:,}.")
    return _select_permutations(count, pieces).clone()


@cache
def _select_permutations(count: int, pieces: int) -> Tensor:
    orders = _all_permutations(pieces).T.contiguous()  # [P, P!]
    total_shared = torch.zeros(orders.shape[1], dtype=torch.int32)  # positions shared with the selected, summed
    max_shared = torch.zeros_like(total_shared)  # and with the nearest of them
    selected = [0]
    while len(selected) < count:
        last = selected[-1]
        shared = (orders == orders[:, last, None]).sum(0, dtype=torch.int32)
        total_shared += shared
        torch.maximum(max_shared, shared, out=max_shared)
        total_shared[last] = 2**26  # never again
        selected.append(int((total_shared * 16 + max_shared).argmin()))  # 16: max_shared <= 9 only breaks ties
    return orders[:, selected].T.long()


def _all_permutations(pieces: int) -> Tensor:
    """int8 [P!, P], in lexical order."""
    if pieces == 0:
        return torch.zeros(1, 0, dtype=torch.int8)
    rest = _all_permutations(pieces - 1)
    firsts = [torch.full((len(rest), 1), first, dtype=torch.int8) for first in range(pieces)]
    return torch.cat([torch.cat([first, rest + (rest >= first)], 1) for first in firsts])
