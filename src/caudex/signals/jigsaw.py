"""Jigsaw: in which order do the tiles belong?"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of
from caudex.trunks import channels_of
from caudex.views import arranged, normalised, permutations, tiles

SMALLEST_TILE = 4
GOOD_TILE = 12
"""side of a cell in which there is enough to see; below it, fewer and larger tiles teach more"""


class Jigsaw(Signal):
    """In which order do the tiles belong? Tell which of `orders` permutations shuffled the tiles of an image.

    Each tile is cut with a gap and jitter from its cell, normalised on its own, and encoded on its own; the head sees
    the features of all in the shuffled order. The orders differ from each other in as many places as can be.
    Source: Noroozi and Favaro 2016, sections 3.3 and 4.2, algorithm 1.
    """

    def __init__(self, grid: int = 0, orders: int = 0):
        super().__init__()
        self.grid, self.orders = grid, orders

    @classmethod
    def arguments_from(cls, spec):
        return {"grid": grid_for(min(spec.shape[1:]))}

    def build(self, trunk):
        channels_of(trunk)  # a trunk that standardises
        self.grid = self.grid or 3
        pieces = self.grid**2
        self.orders = self.orders or min(100, math.factorial(pieces))
        self.register_buffer("permutations", permutations(self.orders, pieces))
        self.head = nn.Sequential(
            nn.Linear(pieces * width_of(trunk), 256), nn.ReLU(inplace=True), nn.Linear(256, self.orders)
        )

    def chance_loss(self):
        return math.log(self.orders)

    def loss(self, trunk, batch):
        number = torch.randint(self.orders, (len(batch.images),), device=batch.images.device)  # [B]
        logits = self.told(trunk, self.shuffled(batch.images, number))
        return SignalOutput(F.cross_entropy(logits, number), {"accuracy": accuracy(logits, number)})

    def shuffled(self, images: Tensor, number: Tensor) -> Tensor:
        """Tiles [B, P, C, s, s] in the order of the permutations [B], each of mean 0 and deviation 1."""
        cell = min(images.shape[2:]) // self.grid
        side = cell - max(2, round(cell * 11 / 75))  # 64 of 75 pixels in the paper
        if side < SMALLEST_TILE:
            raise CaudexError(
                f"images of {images.shape[2]} x {images.shape[3]} give tiles of {side} pixels, too few to see "
                f"anything; try --size {self.grid * (SMALLEST_TILE + 2)} or larger."
            )
        cells = torch.tensor([length // self.grid for length in images.shape[2:]], device=images.device)
        jitter = torch.rand(len(images), self.grid**2, 2, device=images.device)
        corners = (jitter * (cells - side)).long()  # the last one stays free: no two tiles touch
        return arranged(normalised(tiles(images, self.grid, corners, side)), self.permutations[number])

    def told(self, trunk, shuffled: Tensor) -> Tensor:
        """[B, orders] from tiles; the trunk's first layer standardises, which is undone before it."""
        flat = shuffled.flatten(0, 1) * trunk.standardise.deviation + trunk.standardise.mean
        return self.head(trunk(flat).pooled.view(len(shuffled), -1))


def grid_for(side: int) -> int:
    """3 x 3 as in the paper where the cells are then large enough, else 2 x 2."""
    return 3 if side >= 3 * GOOD_TILE else 2
