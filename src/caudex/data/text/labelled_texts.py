"""Texts that somebody has labelled, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images.paths import list_folders
from caudex.data.text import corpora
from caudex.data.text.documents import open_documents
from caudex.data.text.rows import TABLE_SUFFIXES, read_rows
from caudex.data.text.utf8 import UTF8Decoder


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """`text_pairs` are the second texts, where examples are pairs; `dropped_rows` had an empty text or label."""

    texts: list[str]
    labels: Tensor  # int64 [N]
    classes: tuple[str, ...]
    text_pairs: list[str] | None = None
    dropped_rows: int = 0
    replaced_bytes: int = 0  # bytes that were not UTF-8
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (path, reason)

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, index: Tensor) -> LabelledTexts:
        """The texts at `index`: integers, or a mask."""
        rows = torch.arange(len(self))[index].tolist()
        text_pairs = None if self.text_pairs is None else [self.text_pairs[i] for i in rows]
        return LabelledTexts([self.texts[i] for i in rows], self.labels[rows], self.classes, text_pairs)


def load_labelled_texts(
    spec: str,
    text_column: str = "text",
    label_column: str = "label",
    pair_column: str | None = None,
    strict: bool = False,
) -> LabelledTexts:
    """The texts of a .csv or .jsonl with columns of these names, of a folder with one folder a class, or of a packaged
    set such as films.

    Raises CaudexError for a column that is not there, where there is no text, and for labels of one class only.
    """
    path = corpora.corpus_folder(spec) if spec in corpora.CORPORA else Path(spec).expanduser()
    if path.is_dir() and not list_folders(path):  # a packaged set: one table
        tables = sorted(file for file in path.iterdir() if file.suffix.lower() in TABLE_SUFFIXES)
        path = tables[0] if len(tables) == 1 else path
    decoder, skipped = UTF8Decoder(strict), []
    if path.is_dir():
        if pair_column:
            raise CaudexError(f"{spec} is a folder, which cannot hold pairs of texts; give a .csv or .jsonl.")
        rows = list(_read_class_folders(path, strict, decoder, skipped))
    elif path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        columns = [text_column, label_column] + ([pair_column] if pair_column else [])
        try:
            rows = [values for _, values in read_rows(path, columns, decoder)]
        except OSError as error:
            raise CaudexError(f"{path} cannot be read: {error.strerror}.") from None
    else:
        raise CaudexError(
            corpora.not_found_message(spec, f"a {' or '.join(TABLE_SUFFIXES)}, or a folder with one folder a class")
        )
    complete = [row for row in rows if all(cell.strip() for cell in row)]
    classes = tuple(sorted({row[1].strip() for row in complete}))
    if len(classes) < 2:
        only = f"one class, {classes[0]!r}" if classes else "no labelled text"
        raise CaudexError(f"{spec} has {only}; a classifier needs two.")
    numbers = {name: number for number, name in enumerate(classes)}
    return LabelledTexts(
        [row[0] for row in complete],
        torch.tensor([numbers[row[1].strip()] for row in complete]),
        classes,
        [row[2] for row in complete] if pair_column else None,
        len(rows) - len(complete),
        decoder.replaced_bytes,
        skipped,
    )


def _read_class_folders(root: Path, strict: bool, decoder: UTF8Decoder, skipped: list) -> Iterator[list[str]]:
    """[text, class] of each document; the class is the folder's name."""
    names = list_folders(root)
    if not names:
        raise CaudexError(f"{root} has no folders in it; give one folder a class, or a {' or '.join(TABLE_SUFFIXES)}.")
    for name in names:
        documents, chunks = open_documents(str(root / name), strict=strict), {}
        for number, chunk in documents:
            chunks.setdefault(number, []).append(chunk)
        yield from (["".join(parts), name] for parts in chunks.values())
        skipped += documents.skipped
        decoder.replaced_bytes += documents.replaced_bytes
