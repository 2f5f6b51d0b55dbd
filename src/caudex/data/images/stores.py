"""Pixels of many files: into memory if they fit, else decoded on demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images.decode import MAX_UNREADABLE_SHARE, ImageFormat, common_format, decode_images
from caudex.data.images.image_set import ImageFiles, ImageSet, ImageStore, InMemoryImages

MEMORY_LIMIT = 1_000_000_000
"""bytes; a set whose pixels take more is decoded on demand"""


def make_store(names: Sequence[str], image_format: ImageFormat) -> tuple[ImageStore, Tensor, list[tuple[str, str]]]:
    """A store of all `names` in the format that `common_format` makes of this one, bool [N] of those that can be read, and (path, reason) of those that cannot.

    What is decoded on demand counts as readable. CaudexError if more than 5% cannot be read.
    """
    image_format = common_format(names, image_format)
    if image_format.on_demand or len(names) * math.prod(image_format.shape) > MEMORY_LIMIT:
        return ImageFiles(names, image_format), torch.ones(len(names), dtype=torch.bool), []
    images, readable, skipped, cropped_shares = _decode_checked(names, torch.arange(len(names)), image_format)
    return InMemoryImages(images, names, cropped_shares, image_format), readable, skipped


def load_into_memory(images: ImageSet) -> tuple[ImageSet, list[tuple[str, str]]]:
    """A set that is decoded on demand, such as the few labelled of many, brought into memory if it fits; and
    (path, reason) of images that were unreadable and dropped."""
    on_demand = images.image_format.on_demand or len(images) * math.prod(images.shape) > MEMORY_LIMIT
    if images.in_memory or on_demand:
        return images, []
    store, rows = images.store, images.rows
    pixels, readable, skipped, cropped_shares = _decode_checked(store.names, rows, store.image_format)
    names = [store.names[row] for row in rows.tolist()]
    store = InMemoryImages(pixels, names, cropped_shares, store.image_format)
    return replace(images, store=store, rows=None).take(readable), skipped


def _decode_checked(names: Sequence[str], rows: Tensor, image_format: ImageFormat):
    """uint8 [B, C, H, W], bool [B] of those that can be read, (path, reason) of the others, cropped shares [B]."""
    images, unreadable, cropped_shares = decode_images(names, rows, image_format, progress=True)
    skipped = [(names[int(rows[i])], reason) for i, reason in unreadable]
    if len(skipped) > MAX_UNREADABLE_SHARE * len(names):
        path, reason = skipped[0]
        raise CaudexError(
            f"{len(skipped):,} of {len(names):,} images cannot be read, more than {MAX_UNREADABLE_SHARE:.0%}; "
            f"the first is {path} ({reason}). Mend or remove them."
        )
    readable = torch.ones(len(rows), dtype=torch.bool)
    readable[[i for i, _ in unreadable]] = False
    return images, readable, skipped, cropped_shares
