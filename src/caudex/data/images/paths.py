"""Finding image files: a million paths in one buffer."""

# a million paths stay bytes, which pathlib would slow down
# ruff: noqa: PTH116, PTH118

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.data.images.decode import SUFFIXES

ENDINGS = tuple(os.fsencode(suffix) for suffix in SUFFIXES)


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
        return os.path.join(self.root, self.relative(row)).decode(errors="replace")

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


def image_paths_below(root: str | Path, folder: str = "", leave_out: Iterable[str] = ()) -> Iterator[bytes]:
    """Paths, relative to root, of all images in root/folder and deeper, by name; `leave_out` are folders in it.

    Links to folders are followed, but no folder is entered twice, so that loops end.
    """
    left_out = {os.fsencode(name) for name in leave_out}
    root, visited = os.fsencode(root), set()

    def walk(inside: bytes, left_out: set[bytes]) -> Iterator[bytes]:
        status = os.stat(os.path.join(root, inside))
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        folders, files = _list_entries(os.path.join(root, inside))
        for name in sorted(files):
            yield os.path.join(inside, name)
        for name in sorted(set(folders) - left_out):
            yield from walk(os.path.join(inside, name), set())

    return walk(os.fsencode(folder), left_out)


def list_folders(folder: str | Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones do not count."""
    return sorted(os.fsdecode(name) for name in _list_entries(os.fsencode(folder))[0])


def list_images(folder: str | Path) -> list[str]:
    """Names of the image files in a folder itself, sorted; hidden ones do not count."""
    return sorted(os.fsdecode(name) for name in _list_entries(os.fsencode(folder))[1])


def _list_entries(folder: bytes) -> tuple[list[bytes], list[bytes]]:
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(b"."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.name.lower().endswith(ENDINGS) and entry.is_file():
                    files.append(entry.name)
    except OSError as error:
        raise CaudexError(f"{os.fsdecode(folder)} cannot be looked into: {error.strerror}.") from None
    return folders, files
