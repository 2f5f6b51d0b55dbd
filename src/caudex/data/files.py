"""Finding files below a folder: each once, however many links lead to it; what is not read is listed."""

# a million paths stay bytes, which pathlib would slow down
# ruff: noqa: PTH116, PTH118, PTH120, PTH122

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from caudex.core.errors import CaudexError, counted
from caudex.core.registry import did_you_mean

ARCHIVE_REMAINS = b"__MACOSX"
"""a folder of hidden copies in what macOS has packed; it does not count"""
Inode = tuple[int, int]  # device and number: the same for all paths that lead to a file


class FileFinder:
    """Files below `root` that end in `suffixes`; hidden ones do not count.

    Links are followed, but no folder is entered twice and no file is given twice, so that loops end. `skipped` has
    (path, reason) of what was passed over: links that lead to nothing new, and files that end in `foreign`, a dictionary
    from the suffixes of such files as a user may take to be read to what to do about them.
    """

    def __init__(self, root: str | Path, suffixes: Iterable[str], foreign: dict[str, str]):
        self.root = os.fsencode(root)
        self.endings = tuple(map(os.fsencode, suffixes))
        self.foreign = {os.fsencode(suffix): advice for suffix, advice in foreign.items()}
        self.skipped: list[tuple[str, str]] = []
        self._folders: set[Inode] = set()
        self._linked_files: set[Inode] = set()

    def below(self, folder: str = "", leave_out: Iterable[str] = ()) -> Iterator[bytes]:
        """Paths, relative to the root, in a folder below it and deeper, by name; `leave_out` are folders in it."""
        return self._walk(os.fsencode(folder), {os.fsencode(name) for name in leave_out if name})

    def exclude(self, other: FileFinder) -> None:
        """Files that the other has given are not given again."""
        self._folders |= other._folders
        self._linked_files |= other._linked_files

    def _walk(self, inside: bytes, left_out: set[bytes]) -> Iterator[bytes]:
        path = os.path.join(self.root, inside)
        status = os.stat(path)
        folder = status.st_dev, status.st_ino
        if folder in self._folders:
            self._skip(path, "leads to a folder that is read already")
            return
        self._folders.add(folder)
        folders, files = [], []
        for entry in sorted(scan_folder(path), key=lambda entry: entry.name):
            self._sort_entry(entry, folder, folders, files)
        for name in files:
            yield os.path.join(inside, name)
        for name in folders:
            if name not in left_out:
                yield from self._walk(os.path.join(inside, name), set())

    def _sort_entry(self, entry: os.DirEntry, folder: Inode, folders: list[bytes], files: list[bytes]) -> None:
        """Appends the entry's name to the folders or to the files, or notes why it is skipped."""
        name = entry.name.lower()
        try:
            if entry.is_dir():
                if entry.is_symlink() and _leads_above(entry.path):
                    self._skip(entry.path, "a link to a folder above it")
                else:
                    folders.append(entry.name)
            elif name.endswith(self.endings):
                if not entry.is_file():
                    self._skip(entry.path, "a link that leads nowhere" if entry.is_symlink() else "not a regular file")
                elif self._is_new(entry, folder):
                    files.append(entry.name)
                else:
                    self._skip(entry.path, "leads to a file that is read already")
            elif advice := self.foreign.get(os.path.splitext(name)[1]):
                self._skip(entry.path, advice)
        except OSError as error:
            self._skip(entry.path, f"a link that cannot be followed: {error.strerror}")

    def _is_new(self, entry: os.DirEntry, folder: Inode) -> bool:
        if not entry.is_symlink():
            return not self._linked_files or (folder[0], entry.inode()) not in self._linked_files
        target = os.path.realpath(entry.path)
        parent, name = os.path.split(target)
        status, parent_status = os.stat(target), os.stat(parent)
        if (parent_status.st_dev, parent_status.st_ino) in self._folders and _is_visible(name, self.endings):
            return False
        file = status.st_dev, status.st_ino
        is_new = file not in self._linked_files
        self._linked_files.add(file)
        return is_new

    def _skip(self, path: bytes, reason: str) -> None:
        self.skipped.append((printable(path), reason))


def scan_folder(folder: bytes) -> list[os.DirEntry]:
    """What lies in a folder and is not hidden. CaudexError if it cannot be looked into."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(b".") and entry.name != ARCHIVE_REMAINS]
    except OSError as error:
        raise CaudexError(f"{printable(folder)} cannot be looked into: {error.strerror}.") from None


def list_folders(folder: str | Path) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones do not count."""
    return sorted(os.fsdecode(entry.name) for entry in scan_folder(os.fsencode(folder)) if _is_a(entry, "dir"))


def list_files(folder: str | Path, suffixes: Iterable[str]) -> list[str]:
    """Names of the files in a folder itself that end in `suffixes`, sorted; hidden ones do not count."""
    endings = tuple(map(os.fsencode, suffixes))
    entries = (entry for entry in scan_folder(os.fsencode(folder)) if _is_visible(entry.name, endings))
    return sorted(os.fsdecode(entry.name) for entry in entries if _is_a(entry, "file"))


def printable(path: bytes | str | Path) -> str:
    r"""The path as it can be printed and kept in files: bytes that are not UTF-8 become \xff."""
    return os.fsencode(path).decode(errors="backslashreplace")


def parse_printable(name: str) -> bytes:
    r"""The path that `printable` shows so, unless the path itself has a backslash: \xff becomes the byte again."""
    return re.sub(rb"\\x([89a-f][0-9a-f])", lambda escape: bytes([int(escape[1], 16)]), os.fsencode(name))


def not_found_message(spec: str, expected: str, packaged: Iterable[str], kind: str = "set") -> str:
    """The error message for a `--data` that is neither what is `expected`, such as a folder of images, nor the name of a
    packaged set among the `packaged`."""
    path, names = Path(spec).expanduser(), ", ".join(packaged)
    if path.exists():
        return f"{spec} is not {expected}."
    if path.suffix or len(path.parts) > 1 or spec.endswith(os.sep):
        return f"{spec} is not there; give {expected}, or one of: {names}."
    return (
        f"{spec!r} is neither {expected} nor a packaged {kind}.{did_you_mean(spec.lower(), packaged)} Known: {names}."
    )


def describe_skipped(skipped: list[tuple[str, str]], max_reasons: int = 3) -> str:
    """How many files and folders were not read, and why: the commonest reasons, each with an example; "" where there are none."""
    if not skipped:
        return ""
    examples: dict[str, list[str]] = {}
    for path, reason in skipped:
        examples.setdefault(reason.split(", as ")[0], []).append(path)
    commonest = sorted(examples.items(), key=lambda item: -len(item[1]))
    parts = [
        f"{f'{len(paths):,} such as ' if len(paths) > 1 else ''}{paths[0]} ({reason})"
        for reason, paths in commonest[:max_reasons]
    ]
    others = f"; {counted(len(commonest) - max_reasons, 'more reason')}" if len(commonest) > max_reasons else ""
    return f"left out of the data: {count_skipped([path for path, _ in skipped])}: {'; '.join(parts)}{others}"


def count_skipped(paths: Sequence[str]) -> str:
    """How many files and folders these are; the name of a folder ends in /."""
    folders = sum(path.endswith("/") for path in paths)
    parts = [counted(count, noun) for count, noun in ((len(paths) - folders, "file"), (folders, "folder")) if count]
    return " and ".join(parts)


def _is_a(entry: os.DirEntry, kind: str) -> bool:
    try:
        return entry.is_dir() if kind == "dir" else entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_visible(name: bytes, endings: tuple[bytes, ...]) -> bool:
    return name.lower().endswith(endings) and not name.startswith(b".")


def _leads_above(link: bytes) -> bool:
    """Whether a link to a folder leads to one that it lies in."""
    target, parent = os.path.realpath(link), os.path.realpath(os.path.dirname(link))
    return os.path.join(parent, b"").startswith(os.path.join(target, b""))
