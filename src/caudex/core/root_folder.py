"""Files below one folder, reached without following symbolic links: a run folder may come from a stranger."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn

from caudex.core.errors import CaudexError

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = (
    os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # without O_NONBLOCK, opening a named pipe would wait for its other end
NOTHING_THERE = (FileNotFoundError, NotADirectoryError)  # the latter of the root alone
MAX_BYTES = 1 << 26
"""of a file that is read whole, unless its reader says otherwise"""


class RootFolder:
    """Reads and writes files by relative names, such as `stages/training/metrics.jsonl`.

    `root` itself may be a link: the user named it. Below it every part of a name is opened in its folder with
    O_NOFOLLOW. Raises CaudexError for links, for names that lead out, and for anything that is neither file nor folder.
    """

    def __init__(self, root: Path, parents: tuple[str, ...] = ()):
        self.root, self.parents = root, parents  # names are relative to the last of the parents, which need not exist

    @property
    def path(self) -> Path:
        return self.root.joinpath(*self.parents)

    def below(self, name: str) -> RootFolder:
        """A folder inside this one, with the same root."""
        return RootFolder(self.root, self._parts(name))

    def plain_path(self, name: str) -> Path:
        """The path of a file or folder, which need not exist; raises CaudexError where a part of it is a link."""
        parts = self._parts(name)
        with suppress(*NOTHING_THERE), self._folder(parts[:-1]) as folder:
            self._check_no_link(parts, folder)
        return self.root.joinpath(*parts)

    def names(self, name: str = "") -> list[str]:
        """What lies in a folder, sorted; [] where there is no such folder."""
        parts = self._parts(name)
        try:
            with self._folder(parts) as folder:
                names = sorted(os.listdir(folder))  # noqa: PTH208
                for inside in names:
                    self._check_no_link((*parts, inside), folder)
                return names
        except NOTHING_THERE:
            return []

    def check_links(self, name: str) -> None:
        """Raises CaudexError where a folder is a link or has links in it, for what would follow them."""
        self.names(name)

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes | None:
        """The file's content, or None where there is no such file; raises CaudexError beyond `limit` bytes."""
        try:
            with self._open(name, os.O_RDONLY) as file:
                size = os.fstat(file.fileno()).st_size
                content = file.read(limit + 1) if size <= limit else b""  # the limit may be all free memory
        except NOTHING_THERE:
            return None
        except OSError as error:
            raise CaudexError(f"{self.path / name} cannot be read ({error.strerror or error}); restore it.") from None
        if max(size, len(content)) > limit:
            raise CaudexError(
                f"{self.path / name} has {max(size, len(content)):,} bytes, and up to {limit:,} are read; restore it, or free memory."
            )
        return content

    def stat(self, name: str) -> os.stat_result | None:
        """Size and time of a file or folder, or None where there is none."""
        parts = self._parts(name)
        try:
            with self._folder(parts[:-1]) as folder:
                self._check_no_link(parts, folder)
                return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except NOTHING_THERE:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a temporary file, fsync, rename: a reader gets the old file or the new one, with its permissions. A link of that name
        goes."""
        *parents, last = self._parts(name)
        temporary = f".{last}.aside"
        with self._folder(parents, create=True) as folder:
            try:
                with suppress(FileNotFoundError):  # left by a kill
                    os.unlink(temporary, dir_fd=folder)
                handle = os.open(temporary, FILE_FLAGS | os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
                with os.fdopen(handle, "wb") as file:
                    with suppress(FileNotFoundError):
                        old = os.stat(last, dir_fd=folder, follow_symlinks=False)
                        if stat.S_ISREG(old.st_mode):
                            os.fchmod(handle, stat.S_IMODE(old.st_mode) & 0o777)
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise

    def append(self, name: str, content: bytes) -> None:
        with self._open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as file:
            self._check_only_name(name, file)
            file.write(content)

    def truncate(self, name: str, size: int) -> None:
        with self._open(name, os.O_WRONLY) as file:
            self._check_only_name(name, file)
            file.truncate(size)

    def make_folder(self, name: str) -> Path:
        """Create a folder and its parents where they are missing; returns its path."""
        with self._folder(self._parts(name), create=True):
            return self.path / name

    def fsync(self, name: str) -> None:
        """Make renames inside a folder durable."""
        with self._folder(self._parts(name)) as folder:
            os.fsync(folder)

    def rename(self, name: str, new_name: str) -> None:
        """Within one folder."""
        *parents, last = self._parts(name)
        with self._folder(parents) as folder:
            self._check_no_link((*parents, last), folder)
            os.rename(last, self._parts(new_name)[-1], src_dir_fd=folder, dst_dir_fd=folder)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it; nothing that a link in it names."""
        *parents, last = self._parts(name)
        with suppress(*NOTHING_THERE), self._folder(parents) as folder:
            self._check_no_link((*parents, last), folder)
            if stat.S_ISDIR(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                shutil.rmtree(last, ignore_errors=True, dir_fd=folder)
            else:
                os.unlink(last, dir_fd=folder)

    def _parts(self, name: str) -> tuple[str, ...]:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise CaudexError(f"{name!r} leads out of {self.path}; a run folder names only files inside it.")
        return self.parents + path.parts

    @contextmanager
    def _folder(self, parts: tuple[str, ...] | list[str], create: bool = False) -> Iterator[int]:
        """A handle of the folder, opened part by part."""
        if create:
            self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for depth, part in enumerate(parts):
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=handle)
                try:
                    inner = os.open(part, FOLDER_FLAGS, dir_fd=handle)
                except OSError as error:
                    if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                        raise
                    self._check_no_link(parts[: depth + 1], handle)
                    self._refuse(parts[: depth + 1], "is no folder; remove it")
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def _open(self, name: str, flags: int) -> Iterator[BinaryIO]:
        """A regular file; its parents are created where the file may be."""
        *parents, last = self._parts(name)
        mode = "rb" if flags == os.O_RDONLY else "ab" if flags & os.O_APPEND else "r+b"
        with self._folder(parents, create=bool(flags & os.O_CREAT)) as folder:
            try:
                handle = os.open(last, flags | FILE_FLAGS, 0o666, dir_fd=folder)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                    raise
                self._check_no_link((*parents, last), folder)
                self._refuse((*parents, last), "is no regular file; remove it")
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                self._refuse((*parents, last), "is no regular file; remove it")
            with os.fdopen(handle, mode) as file:
                yield file

    def _check_no_link(self, parts: tuple[str, ...] | list[str], folder: int) -> None:
        """Raises CaudexError where the last part, which lies in `folder`, is a link."""
        with suppress(FileNotFoundError):
            if parts and stat.S_ISLNK(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mode):
                self._refuse(
                    parts,
                    "is a link, which is not followed inside a run folder; remove it, or put a copy of the file there",
                )

    def _check_only_name(self, name: str, file: BinaryIO) -> None:
        """Raises CaudexError where the file has a second name, by which it is another's too."""
        if os.fstat(file.fileno()).st_nlink > 1:
            self._refuse(
                self._parts(name), "is a hard link to a file that has another name too; put a copy of the file there"
            )

    def _refuse(self, parts: tuple[str, ...] | list[str], reason: str) -> NoReturn:
        raise CaudexError(f"{self.root.joinpath(*parts)} {reason}.")
