"""Images that are the same but for size, compression or light: by the differences of neighbouring pixels."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from caudex.data.images.image_set import ImageSet

SIDE, BANDS = 8, 4
MAX_DISTANCE = BANDS - 1
"""bits of 64 in which the hashes of near duplicates differ at most"""
THUMBNAIL = 16
MAX_DIFFERENCE = 0.05
"""of two pixels of their thumbnails, on average, where these have zero mean and unit standard deviation"""
MAX_BAND = 1000
"""images that share a quarter of their hash, as plain ones do: of more, none are compared by it"""


def near_duplicates(images: ImageSet) -> list[tuple[int, int]]:
    """Pairs of rows (i < j) that are nearly the same image, equal ones among them.

    The hash of an image says, for 8 x 8 neighbouring pairs of pixels of its thumbnail, which is lighter (Krawetz 2013, "dHash"). Two hashes
    that differ in at most three of 64 bits agree in one of four quarters, so only images that share a quarter are compared; those that are
    left must look alike pixel by pixel, too.
    """
    hashes, thumbnails = hash_images(images)
    pairs = set()
    for band in np.ascontiguousarray(hashes.reshape(len(hashes), BANDS, -1).transpose(1, 0, 2)):
        rows_by_key = defaultdict(list)
        for row, key in enumerate(map(bytes, band)):
            rows_by_key[key].append(row)
        for rows in rows_by_key.values():
            if 1 < len(rows) <= MAX_BAND:
                pairs.update(_close_pairs(hashes, rows))
    return sorted((i, j) for i, j in pairs if (thumbnails[i] - thumbnails[j]).abs().mean() <= MAX_DIFFERENCE)


def hash_images(images: ImageSet) -> tuple[np.ndarray, Tensor]:
    """The hash of each, uint8 [N, 8], and its thumbnail, float [N, 16, 16] of zero mean and unit standard deviation."""
    hashes, thumbnails = [], []
    for rows in torch.arange(len(images)).split(500):
        grey = images.fetch(rows).float().mean(1, keepdim=True).div(255)
        thumbnail = adaptive_avg_pool2d(grey, THUMBNAIL)[:, 0]
        thumbnails.append(
            (thumbnail - thumbnail.mean((1, 2), True)) / thumbnail.std((1, 2), keepdim=True).clamp_min(0.02)
        )
        small = interpolate(grey, (SIDE, SIDE + 1), mode="bilinear", antialias=True, align_corners=False)[:, 0]
        is_darker = small[:, :, :-1] < small[:, :, 1:]
        hashes.append(np.packbits(is_darker.flatten(1).numpy(), axis=1))
    return np.concatenate(hashes), torch.cat(thumbnails)


def _close_pairs(hashes: np.ndarray, rows: list[int]) -> list[tuple[int, int]]:
    """Those of the rows, in ascending order, whose hashes are close."""
    part = hashes[rows]
    if len(rows) < 10:
        candidates = combinations(range(len(rows)), 2)
        return [(rows[a], rows[b]) for a, b in candidates if np.bitwise_count(part[a] ^ part[b]).sum() <= MAX_DISTANCE]
    pairs = []
    for a in range(len(rows) - 1):
        distances = np.bitwise_count(part[a + 1 :] ^ part[a]).sum(1)
        pairs += [(rows[a], rows[a + 1 + b]) for b in np.flatnonzero(distances <= MAX_DISTANCE)]
    return pairs


def group_pairs(pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Rows that are connected by pairs, each group in ascending order."""
    group_of: dict[int, list[int]] = {}
    for i, j in pairs:
        merged = sorted({*group_of.get(i, [i]), *group_of.get(j, [j])})
        for row in merged:
            group_of[row] = merged
    return sorted({id(group): group for group in group_of.values()}.values())
