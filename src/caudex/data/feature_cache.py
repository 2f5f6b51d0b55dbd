"""Features of images or texts on disk, encoded once: an append-only file, keyed by the content of each."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.disk import lock_folder
from caudex.core.errors import CaudexError
from caudex.core.fetch import cache_folder

DIGEST = np.dtype("S16")
"""of an image or a text: 16 bytes"""


MAX_MAPPED = 200_000_000
"""bytes; of larger files only what is being read counts as this process's memory"""


@dataclass(frozen=True, eq=False)
class StoredFeatures:
    """Features of a set: row `index[i]` of `values` ([M, ...], by `mapping` from disk) is that of example `i`; -1: none."""

    values: Tensor
    index: Tensor
    mapping: mmap.mmap | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape[1:])

    def fetch(self, rows: Tensor) -> Tensor:
        """float32 [B, ...]"""
        features = self.values.index_select(0, self.index[rows]).float()
        if self.mapping and len(self.mapping) > MAX_MAPPED and hasattr(mmap, "MADV_DONTNEED"):
            self.mapping.madvise(mmap.MADV_DONTNEED)  # nothing was written to it, so nothing is lost
        return features


class FeatureCache:
    """`keys` holds the digest of each example, `features` its features, both in the order in which they were encoded.

    Features are written first and count once their key stands: what a killed process leaves behind is cut off by the next.
    Several processes may append; each holds the folder while it does.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: torch.dtype = torch.float16):
        self.folder, self.shape, self.dtype = folder, shape, dtype
        self.row_bytes = dtype.itemsize * int(np.prod(shape))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CaudexError(
                f"features cannot be kept in {folder} ({error.strerror}); set CAUDEX_CACHE to a folder that you can write to."
            ) from None

    def count(self) -> int:
        """Examples whose features are there."""
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

    def check_room(self, count: int) -> None:
        """Raises CaudexError where the features of so many more examples do not fit on the disk."""
        free, size = shutil.disk_usage(self.folder).free, count * self.row_bytes
        if size > free:
            raise CaudexError(
                f"the features of {count:,} examples take {size / 2**30:,.1f} GiB, and {self.folder} has {free / 2**30:,.1f} GiB left; "
                "make room, or set CAUDEX_CACHE to a folder on another disk."
            )

    def append(self, digests: np.ndarray, features: Tensor) -> None:
        """Add the features [N, ...] of examples with these digests. CaudexError where the disk is full."""
        max_value = torch.finfo(self.dtype).max
        try:
            with lock_folder(self.folder, wait=True):
                count = self.count()
                self._write(
                    "features",
                    count * self.row_bytes,
                    features.clamp(-max_value, max_value).to(self.dtype).contiguous().numpy(),
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
        if not count:
            return StoredFeatures(torch.empty(0, *self.shape, dtype=self.dtype), torch.from_numpy(index))
        with (self.folder / "features").open("rb") as file:
            mapping = mmap.mmap(file.fileno(), count * self.row_bytes, access=mmap.ACCESS_COPY)
        values = torch.frombuffer(mapping, dtype=self.dtype).view(count, *self.shape)
        return StoredFeatures(values, torch.from_numpy(index), mapping)

    def _write(self, name: str, offset: int, values: np.ndarray) -> None:
        with (self.folder / name).open("ab") as file:
            file.truncate(offset)
            file.write(values.tobytes())
            file.flush()


def open_cache(
    description: str, encoder: nn.Module, shape: tuple[int, ...], dtype: torch.dtype = torch.float16
) -> FeatureCache:
    """The cache of what `encoder` makes of examples: `description` is what, besides its weights and an example's content, the
    features follow from."""
    return FeatureCache(features_folder(description, encoder), shape, dtype)


def features_folder(description: str, encoder: nn.Module) -> Path:
    key = sha256(description.encode())
    for name, weight in encoder.state_dict().items():
        key.update(name.encode())
        key.update(weight.cpu().reshape(-1).view(torch.uint8).numpy())
    return cache_folder() / "features" / key.hexdigest()[:32]


def digest_example(content: bytes) -> bytes:
    """Of an example."""
    return blake2b(content, digest_size=DIGEST.itemsize).digest()


def missing_chunks(cache: FeatureCache, digests: np.ndarray, rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """These rows, which have no features yet, `size` at a time; what another process has encoded meanwhile is passed over.

    Raises CaudexError where the disk has no room for them.
    """
    cache.check_room(len(rows))
    chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
    first = os.getpid() % max(1, len(chunks))  # so that several processes begin in different places
    count, done = cache.count(), set()
    for chunk in [*chunks[first:], *chunks[:first]]:
        done.update(cache.keys(count))
        count = cache.count()
        yield chunk[[digest not in done for digest in digests[chunk]]]
