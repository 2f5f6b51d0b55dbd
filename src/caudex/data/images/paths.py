"""Image files: a million paths in one buffer."""

# a million paths stay bytes, which pathlib would slow down
# ruff: noqa: PTH118

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable
from pathlib import Path

from caudex.data.files import FileFinder, list_files, printable
from caudex.data.images.opening import FOREIGN_SUFFIXES, SUFFIXES


class ImagePaths:
    """Paths of files below `root`, as bytes in one buffer: about 40 bytes each, where a string takes 100."""

    def __init__(self, root: str | Path):
        self.root = os.fsencode(root)
        self.buffer = bytearray()
        self.ends = array("q")

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> str:
        """The path as it can be printed, which differs from the true one where that is not UTF-8."""
        return printable(os.path.join(self.root, self.relative(row)))

    def source(self, row: int) -> str:
        """The path to open."""
        return os.fsdecode(os.path.join(self.root, self.relative(row)))

    def relative(self, row: int) -> bytes:
        """The path relative to the root."""
        return bytes(self.buffer[self.ends[row - 1] if row else 0 : self.ends[row]])

    def add(self, paths: Iterable[bytes]) -> int:
        """Appends paths relative to the root (or absolute ones) and says how many they were."""
        before = len(self)
        for path in paths:
            self.buffer += path
            self.ends.append(len(self.buffer))
        return len(self) - before


def image_finder(root: str | Path) -> FileFinder:
    """Finds the images below a folder."""
    return FileFinder(root, SUFFIXES, FOREIGN_SUFFIXES)


def list_images(folder: str | Path) -> list[str]:
    """Names of the image files in a folder itself, sorted; hidden ones do not count."""
    return list_files(folder, SUFFIXES)
