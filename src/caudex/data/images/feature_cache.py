"""Features of images on disk, encoded once: an append-only file, keyed by the content of each image."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from caudex.core.disk import lock_folder
from caudex.core.errors import CaudexError

MAX_FEATURE = torch.finfo(torch.float16).max
DIGEST = np.dtype("S16")
"""of an image: 16 bytes"""


@dataclass(frozen=True, eq=False)
class StoredFeatures:
    """Features of the images of a store: row `index[i]` of `values` (float16 [M, ...], mapped from disk) is that of image `i`; -1: none."""

    values: Tensor
    index: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape[1:])

    def fetch(self, rows: Tensor) -> Tensor:
        """float32 [B, ...]"""
        return self.values.index_select(0, self.index[rows]).float()


class FeatureCache:
    """`keys` holds the digest of each image, `features` its float16 features, both in the order in which they were encoded.

    Features are written first and count once their key stands: what a killed process leaves behind is cut off by the next.
    Several processes may append; each holds the folder while it does.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...]):
        self.folder, self.shape = folder, shape
        self.row_bytes = 2 * int(np.prod(shape))
        folder.mkdir(parents=True, exist_ok=True)

    def count(self) -> int:
        """Images whose features are there."""
        sizes = [
            path.stat().st_size if path.exists() else 0 for path in (self.folder / "keys", self.folder / "features")
        ]
        return min(sizes[0] // DIGEST.itemsize, sizes[1] // self.row_bytes)

    def keys(self, start: int = 0) -> np.ndarray:
        """The digests [M] from row `start` on."""
        count = max(0, self.count() - start)
        return (
            np.fromfile(self.folder / "keys", DIGEST, count, offset=start * DIGEST.itemsize)
            if count
            else np.empty(0, DIGEST)
        )

    def find(self, digests: np.ndarray) -> np.ndarray:
        """int64 [N]: the row of the features of each digest; -1 where they are missing."""
        keys = self.keys()
        if not len(keys):
            return np.full(len(digests), -1)
        order = np.argsort(keys)
        rows = order[np.searchsorted(keys, digests, sorter=order).clip(max=len(keys) - 1)]
        return np.where(keys[rows] == digests, rows, -1)

    def append(self, digests: np.ndarray, features: Tensor) -> None:
        """Add the features [N, ...] of images with these digests. CaudexError where the disk is full."""
        try:
            with lock_folder(self.folder, wait=True):
                count = self.count()
                self._write(
                    "features",
                    count * self.row_bytes,
                    features.clamp(-MAX_FEATURE, MAX_FEATURE).half().contiguous().numpy(),
                )
                self._write("keys", count * DIGEST.itemsize, digests)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG):
                raise
            raise CaudexError(
                f"{self.folder}: features cannot be kept ({error.strerror}); make room, or set CAUDEX_CACHE to a folder on another disk."
            ) from None

    def open(self, index: np.ndarray) -> StoredFeatures:
        """The features of the rows that `find` gave."""
        count = self.count()
        size = count * self.row_bytes // 2
        path = str(self.folder / "features")
        values = torch.from_file(path, size=size, dtype=torch.float16) if count else torch.empty(0, dtype=torch.float16)
        return StoredFeatures(values.view(count, *self.shape), torch.from_numpy(index))

    def _write(self, name: str, offset: int, values: np.ndarray) -> None:
        with (self.folder / name).open("ab") as file:
            file.truncate(offset)
            file.write(values.tobytes())
            file.flush()
