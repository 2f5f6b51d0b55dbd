"""Images that stand in the training set and in the test."""

# a million files are looked at, which pathlib would slow down
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b

from torch import Tensor

from caudex.data.images.image_set import ImageSet
from caudex.data.images.paths import ImagePaths


def find_duplicates(images: ImageSet, training: Tensor, test: Tensor) -> list[tuple[int, int]]:
    """(training row, test row) of equal images.

    In memory equal pixels count, after resizing. Files decoded on demand are equal where their bytes are, and only
    files as long as one of the test are read. A hub's data set that does not fit into memory is not searched.
    """
    if images.in_memory:
        test_row_of = dict(zip(images.take(test).hashes(), test.tolist()))
        hashes = zip(images.take(training).hashes(), training.tolist())
    elif isinstance(images.store.names, ImagePaths):
        paths, rows = images.store.names, images.rows
        test_paths = {row: paths.source(int(rows[row])) for row in test.tolist()}
        test_row_of = {_file_hash(path): row for row, path in test_paths.items()}
        sizes = {_file_size(path) for path in test_paths.values()}
        hashes = _hashes_of_sizes(((paths.source(int(rows[row])), row) for row in training.tolist()), sizes)
    else:
        return []
    return [(row, test_row_of[key]) for key, row in hashes if key in test_row_of]


def _hashes_of_sizes(paths: Iterable[tuple[str, int]], sizes: set[int]) -> Iterable[tuple[bytes, int]]:
    for path, row in paths:
        if _file_size(path) in sizes:
            yield _file_hash(path), row


def _file_size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _file_hash(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return blake2b(file.read(), digest_size=16).digest()
    except OSError:
        return b""
