"""Pixels of many files: into memory if they fit, else decoded on demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images.decode import UNREADABLE_AT_MOST, common_shape, decode_many
from caudex.data.images.image_set import Files, ImageSet, InMemoryImages, Store

MEMORY_LIMIT = 1_000_000_000
"""bytes; a set whose pixels take more is decoded on demand"""


def load(names: Sequence[str], size: int) -> tuple[Store, Tensor, list[tuple[str, str]]]:
    """A store of all `names`, bool [N] of those that can be read, and (path, reason) of those that cannot.

    What is decoded on demand counts as readable. CaudexError if more than 5% cannot be read.
    """
    shape = common_shape(names, size)
    if len(names) * math.prod(shape) > MEMORY_LIMIT:
        return Files(names, shape), torch.ones(len(names), dtype=torch.bool), []
    images, readable, skipped, cut = _decoded(names, torch.arange(len(names)), shape)
    return InMemoryImages(images, names, cut), readable, skipped


def settle(images: ImageSet) -> tuple[ImageSet, list[tuple[str, str]]]:
    """A set that is decoded on demand, such as the few labelled of many, brought into memory if it fits; and
    (path, reason) of images that turned out to be unreadable and were dropped."""
    if images.in_memory or len(images) * math.prod(images.shape) > MEMORY_LIMIT:
        return images, []
    store, rows = images.store, images.rows
    pixels, readable, skipped, cut = _decoded(store.names, rows, store.shape)
    names = [store.names[row] for row in rows.tolist()]
    return replace(images, store=InMemoryImages(pixels, names, cut), rows=None).take(readable), skipped


def _decoded(names: Sequence[str], rows: Tensor, shape: tuple[int, int, int]):
    """uint8 [B, C, H, W], bool [B] of those that can be read, (path, reason) of the others, what was cut away [B]."""
    images, unreadable, cut = decode_many(names, rows, shape, progress=True)
    skipped = [(names[int(rows[place])], reason) for place, reason in unreadable]
    if len(skipped) > UNREADABLE_AT_MOST * len(names):
        path, reason = skipped[0]
        raise CaudexError(
            f"{len(skipped):,} of {len(names):,} images cannot be read, more than {UNREADABLE_AT_MOST:.0%}; "
            f"the first is {path} ({reason}). Mend or remove them."
        )
    readable = torch.ones(len(rows), dtype=torch.bool)
    readable[[place for place, _ in unreadable]] = False
    return images, readable, skipped, cut
