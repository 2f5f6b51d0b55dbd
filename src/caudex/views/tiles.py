"""Tiles of images, and the orders to shuffle them into (for jigsaw puzzles)."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.draw import as_float


def tiles(images: Tensor, grid: int, corners: Tensor | None, side: int) -> Tensor:
    """One tile out of each cell of a grid x grid division: [B, grid * grid, C, side, side], row by row, exact pixels.

    `corners` int64 [B, grid * grid, 2] say where in its cell a tile begins (row, column); None takes the middles. The
    gap and the jitter between tiles keep edges from giving the puzzle away (Noroozi and Favaro 2016, section 4.2).
    A remainder of rows and columns that the grid does not divide is left out.
    """
    batch, channels, height, width = images.shape
    cells = (height // grid, width // grid) if grid > 0 else (0, 0)
    if not 1 <= side <= min(cells):
        instead = f"side={max(1, min(cells) * 6 // 7)}" if min(cells) else "grid=1"
        raise CaudexError(
            f"a {grid} x {grid} grid on images of {height} x {width} has cells of {cells[0]} x {cells[1]}, "
            f"which hold no tile of side {side}; try {instead}."
        )
    device = images.device
    room = torch.tensor(cells, device=device) - side  # the last corner that keeps the tile in its cell
    if corners is None:
        corners = (room // 2).expand(1, grid * grid, 2)
    elif corners.shape != (batch, grid * grid, 2) or ((corners < 0) | (corners > room)).any():
        raise CaudexError(
            f"corners of shape {list(corners.shape)} from {corners.min()} to {corners.max()} do not fit; give "
            f"[{batch}, {grid * grid}, 2] from 0 to ({room[0]}, {room[1]}), so that each tile stays in its cell."
        )
    origins = torch.cartesian_prod(*[torch.arange(grid, device=device)] * 2) * torch.tensor(cells, device=device)
    rows, columns = ((origins + corners)[..., None] + torch.arange(side, device=device)).unbind(2)  # [B, P, side]
    places = (rows[..., :, None] * width + columns[..., None, :]).flatten(1)  # [B, P * side * side]
    cut = images.flatten(2).gather(2, places[:, None].expand(batch, channels, -1))
    return cut.view(batch, channels, grid * grid, side, side).transpose(1, 2)


def normalised(tiles: Tensor) -> Tensor:
    """Each channel of each tile [..., H, W] on its own to mean 0 and deviation 1; a flat one becomes zeros.

    Otherwise neighbours are told by their like brightness and contrast (Noroozi and Favaro 2016, section 4.2).
    """
    tiles = as_float(tiles)
    away = tiles - tiles[..., :1, :1]  # a flat tile is now 0, whatever the rounding of its mean
    away = away - away.mean((-2, -1), keepdim=True)
    # a tile flat but for rounding is not blown up; one 8-bit level in one of 64 x 64 pixels has variance 4e-9
    return away / away.square().mean((-2, -1), keepdim=True).clamp(min=1e-10).sqrt()


def arranged(tiles: Tensor, order: Tensor) -> Tensor:
    """Tiles [B, P, ...] in the order [B, P]: at place i stands what stood at order[i].

    `order.argsort(1)` puts them back.
    """
    return tiles[torch.arange(len(tiles), device=tiles.device)[:, None], order]


def permutations(count: int, pieces: int) -> Tensor:
    """int64 [count, pieces]: orders far from each other, so that a puzzle has one answer.

    Chosen greedily by the largest mean Hamming distance to those already chosen (Noroozi and Favaro 2016, algorithm
    1), from the unshuffled order on; of equals, by the largest least distance, then the first in lexical order.
    """
    if not 1 <= pieces <= 9:
        raise CaudexError(f"orders of {pieces} pieces cannot all be weighed; take 1 to 9, a grid of at most 3 x 3.")
    every = math.factorial(pieces)
    if not 1 <= count <= every:
        raise CaudexError(f"{pieces} pieces have {every:,} orders, not {count:,}; take 1 to {every:,}.")
    return _chosen(count, pieces).clone()


@cache
def _chosen(count: int, pieces: int) -> Tensor:
    orders = _all_orders(pieces).T.contiguous()  # [P, P!]
    agreed = torch.zeros(orders.shape[1], dtype=torch.int32)  # places shared with the chosen, summed over them
    most = torch.zeros_like(agreed)  # and with the nearest of them
    chosen = [0]
    while len(chosen) < count:
        last = chosen[-1]
        shared = (orders == orders[:, last, None]).sum(0, dtype=torch.int32)
        agreed += shared
        torch.maximum(most, shared, out=most)
        agreed[last] = 2**26  # never again
        chosen.append(int((agreed * 16 + most).argmin()))  # 16: `most`, at most 9, only decides among equals
    return orders[:, chosen].T.long()


def _all_orders(pieces: int) -> Tensor:
    """int8 [P!, P], in lexical order."""
    if pieces == 0:
        return torch.zeros(1, 0, dtype=torch.int8)
    rest = _all_orders(pieces - 1)
    firsts = [torch.full((len(rest), 1), first, dtype=torch.int8) for first in range(pieces)]
    return torch.cat([torch.cat([first, rest + (rest >= first)], 1) for first in firsts])
