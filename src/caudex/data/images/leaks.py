"""Images that stand in the training set and in the test."""

# a million files are looked at, which pathlib would slow down
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b

from torch import Tensor

from caudex.data.images.image_set import ImageSet
from caudex.data.images.paths import Paths


def twins(images: ImageSet, training: Tensor, test: Tensor) -> list[tuple[int, int]]:
    """(place in training, place in test) of equal images.

    In memory equal pixels count, after resizing. Files decoded on demand are equal where their bytes are, and only
    files as long as one of the test are read. A hub's data set that does not fit into memory is not searched.
    """
    if images.in_memory:
        known = dict(zip(images.take(test).hashes(), test.tolist()))
        hashes = zip(images.take(training).hashes(), training.tolist())
    elif isinstance(images.store.names, Paths):
        paths, rows = images.store.names, images.rows
        test_paths = {place: paths.open(int(rows[place])) for place in test.tolist()}
        known = {_contents(path): place for place, path in test_paths.items()}
        lengths = {_length(path) for path in test_paths.values()}
        hashes = _of_length(((paths.open(int(rows[place])), place) for place in training.tolist()), lengths)
    else:
        return []
    return [(place, known[each]) for each, place in hashes if each in known]


def _of_length(paths: Iterable[tuple[str, int]], lengths: set[int]) -> Iterable[tuple[bytes, int]]:
    for path, place in paths:
        if _length(path) in lengths:
            yield _contents(path), place


def _length(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _contents(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return blake2b(file.read(), digest_size=16).digest()
    except OSError:
        return b""
