"""Images that are the same but for size, compression or light."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from caudex.core.progress import track
from caudex.data.images.image_set import ImageSet

THUMBNAIL = 16
MIN_CORRELATION = 0.996
"""of the thumbnails of nearly equal images"""
MIN_CONTRAST = 0.02
"""standard deviation of a thumbnail; plainer images are never nearly equal, only equal"""
BLOCK = 2000


def near_duplicates(images: ImageSet) -> list[tuple[int, int]]:
    """Pairs of rows (i < j) of equal images, and of those whose grey thumbnails of 16 x 16 pixels correlate to `MIN_CORRELATION`.

    Each is compared with each: 256 multiplications a pair; 10,000 images take half a second, and the time grows with the square of
    their number.
    """
    vectors, pairs = thumbnails(images), set(equal_pairs(images))
    starts = range(0, len(vectors), BLOCK)
    for start in track(starts, "comparing images", len(starts), silent=len(vectors) < 10 * BLOCK):
        block = vectors[start : start + BLOCK]
        for other in range(start, len(vectors), BLOCK):
            close = (block @ vectors[other : other + BLOCK].T > MIN_CORRELATION).nonzero().tolist()
            pairs.update((start + i, other + j) for i, j in close if start + i < other + j)
    return sorted(pairs)


def equal_pairs(images: ImageSet) -> list[tuple[int, int]]:
    """Each equal image with the next that is equal to it."""
    rows_of: dict[bytes, list[int]] = {}
    for row, key in enumerate(images.hashes()):
        rows_of.setdefault(key, []).append(row)
    return [pair for rows in rows_of.values() for pair in pairwise(rows)]


def thumbnails(images: ImageSet) -> Tensor:
    """[N, 256]: of zero mean and unit length, so that products are correlations; zero where an image is plain."""
    parts = []
    for rows in torch.arange(len(images)).split(500):
        grey = images.fetch(rows).float().mean(1, keepdim=True).div(255)
        small = adaptive_avg_pool2d(grey, THUMBNAIL).flatten(1)
        centred = small - small.mean(1, keepdim=True)
        std = centred.std(1, correction=0, keepdim=True)
        parts.append(torch.where(std < MIN_CONTRAST, 0.0, centred / (std * THUMBNAIL)))
    return torch.cat(parts) if parts else torch.empty(0, THUMBNAIL**2)
