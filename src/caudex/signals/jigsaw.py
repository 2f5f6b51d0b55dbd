"""Jigsaw: predict how the tiles of an image were shuffled."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of
from caudex.trunks import channels_of
from caudex.views import cut_tiles, distant_permutations, normalise_tiles, permute_tiles

SMALLEST_TILE = 4
GOOD_TILE = 12
"""side of a cell that shows enough; below it, fewer and larger tiles teach more"""


class Jigsaw(Signal):
    """Predict which of `num_permutations` permutations shuffled the tiles of an image.

    Each tile is cut with a gap and jitter from its cell, normalised on its own, and encoded on its own; the head sees
    the features of all in the shuffled order. The permutations differ from each other in as many positions as possible.
    Source: Noroozi and Favaro 2016, sections 3.3 and 4.2, algorithm 1.
    """

    def __init__(self, grid: int = 0, num_permutations: int = 0):
        super().__init__()
        self.grid, self.num_permutations = grid, num_permutations

    @classmethod
    def arguments_from(cls, spec):
        return {"grid": grid_for(min(spec.shape[1:]))}

    def build(self, trunk):
        channels_of(trunk)  # a trunk that standardises
        self.grid = self.grid or 3
        num_tiles = self.grid**2
        self.num_permutations = self.num_permutations or min(100, math.factorial(num_tiles))
        self.register_buffer("permutations", distant_permutations(self.num_permutations, num_tiles))
        self.head = nn.Sequential(
            nn.Linear(num_tiles * width_of(trunk), 256), nn.ReLU(inplace=True), nn.Linear(256, self.num_permutations)
        )

    def chance_loss(self):
        return math.log(self.num_permutations)

    def loss(self, trunk, batch):
        labels = torch.randint(self.num_permutations, (len(batch.images),), device=batch.images.device)  # [B]
        logits = self.logits(trunk, self.shuffle_tiles(batch.images, labels))
        return SignalOutput(F.cross_entropy(logits, labels), {"accuracy": accuracy(logits, labels)})

    def shuffle_tiles(self, images: Tensor, labels: Tensor) -> Tensor:
        """Tiles [B, P, C, s, s] in the order of the permutations [B], each of mean 0 and standard deviation 1."""
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
        return permute_tiles(normalise_tiles(cut_tiles(images, self.grid, corners, side)), self.permutations[labels])

    def logits(self, trunk, shuffled: Tensor) -> Tensor:
        """[B, num_permutations] from tiles; the trunk's first layer standardises, which is undone before it."""
        flat = shuffled.flatten(0, 1) * trunk.standardise.std + trunk.standardise.mean
        return self.head(trunk(flat).pooled.view(len(shuffled), -1))


def grid_for(side: int) -> int:
    """3 x 3 as in the paper where the cells are then large enough, else 2 x 2."""
    return 3 if side >= 3 * GOOD_TILE else 2
