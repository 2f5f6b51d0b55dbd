"""Images that are the same but for size, compression or light."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

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


class NearDuplicates(NamedTuple):
    """The row of an image, and that of another which is nearly equal. Each image stands once in a part, however many copies it
    has, so that the parts are no larger than the set."""

    leaks: dict[int, int]
    """of training, and the first of the test"""
    contradictions: dict[int, int]
    """labelled, and the first after it that has another label, on the same side"""
    copies: dict[int, int]
    """any other, and the first before it"""


def near_duplicates(images: ImageSet, is_test: Tensor) -> NearDuplicates:
    """Equal images, and those whose grey thumbnails of 16 x 16 pixels correlate to `MIN_CORRELATION`; `is_test` is bool [N].

    Each is compared with each: 256 multiplications a pair; 10,000 images take half a second, and the time grows with the square of
    their number.
    """
    vectors, duplicates = thumbnails(images), NearDuplicates({}, {}, {})
    starts = range(0, len(vectors), BLOCK)
    for start in track(starts, "comparing images", len(starts), silent=len(vectors) < 10 * BLOCK):
        block = vectors[start : start + BLOCK]
        for other in range(start, len(vectors), BLOCK):
            is_close = block @ vectors[other : other + BLOCK].T > MIN_CORRELATION
            is_close = is_close.triu(1) if other == start else is_close
            if is_close.any():
                add_duplicates(duplicates, is_close, start, other, images.labels, is_test)
    for first, second in equal_pairs(images):  # plain ones, too
        add_duplicates(duplicates, torch.ones(1, 1, dtype=torch.bool), first, second, images.labels, is_test)
    return NearDuplicates(*(dict(sorted(part.items())) for part in duplicates))


def add_duplicates(
    duplicates: NearDuplicates, is_close: Tensor, start: int, other: int, labels: Tensor, is_test: Tensor
) -> None:
    """`is_close` is bool [A, B], of rows from `start` on and later rows from `other` on."""
    a, b = slice(start, start + len(is_close)), slice(other, other + is_close.shape[1])
    is_split = is_test[a, None] != is_test[b]
    is_contrary = (labels[a, None] >= 0) & (labels[b] >= 0) & (labels[a, None] != labels[b]) & ~is_split

    def add(part: dict[int, int], is_pair: Tensor, first: int, partner: int, is_wanted: Tensor | None = None) -> None:
        has_partner = is_pair.any(1) if is_wanted is None else is_pair.any(1) & is_wanted
        rows = has_partner.nonzero().flatten()
        for row, column in zip(rows.tolist(), is_pair[rows].byte().argmax(1).tolist()):
            part.setdefault(first + row, partner + column)

    add(duplicates.leaks, (is_close & is_split).T, other, start, ~is_test[b])  # with those before it, then behind it
    add(duplicates.leaks, is_close & is_split, start, other, ~is_test[a])
    add(duplicates.contradictions, is_close & is_contrary, start, other)
    add(duplicates.copies, (is_close & ~is_split & ~is_contrary).T, other, start)


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
