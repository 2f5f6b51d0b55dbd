"""Texts that somebody has labelled, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images.paths import folders_in
from caudex.data.text import corpora
from caudex.data.text.documents import open_documents
from caudex.data.text.rows import TABLES, rows
from caudex.data.text.utf8 import Decoder


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """`second` has the other text of each pair, where there are pairs; `left_out` rows had an empty text or label."""

    texts: list[str]
    labels: Tensor  # int64 [N]
    classes: tuple[str, ...]
    second: list[str] | None = None
    left_out: int = 0
    replaced: int = 0  # bytes that were not UTF-8
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (path, reason)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, index: Tensor) -> LabelledTexts:
        """The texts at `index`: whole numbers, or a mask."""
        places = torch.arange(len(self))[index].tolist()
        second = None if self.second is None else [self.second[i] for i in places]
        return LabelledTexts([self.texts[i] for i in places], self.labels[places], self.classes, second)


def load_labelled_texts(
    spec: str, text: str = "text", label: str = "label", second: str | None = None, strict: bool = False
) -> LabelledTexts:
    """The texts of a .csv or .jsonl with columns of these names, of a folder with one folder a class, or of a packaged
    set such as films.

    Raises CaudexError for a column that is not there, where there is no text, and for labels of one class only.
    """
    path = corpora.corpus_folder(spec) if spec in corpora.PACKAGED else Path(spec).expanduser()
    if path.is_dir() and not folders_in(path):  # a packaged set: one table
        tables = sorted(file for file in path.iterdir() if file.suffix.lower() in TABLES)
        path = tables[0] if len(tables) == 1 else path
    decoder, skipped = Decoder(strict), []
    if path.is_dir():
        if second:
            raise CaudexError(f"{spec} is a folder, which cannot hold pairs of texts; give a .csv or .jsonl.")
        found = list(_of_folders(path, strict, decoder, skipped))
    elif path.suffix.lower() in TABLES and path.is_file():
        columns = [text, label] + ([second] if second else [])
        try:
            found = [values for _, values in rows(path, columns, decoder)]
        except OSError as error:
            raise CaudexError(f"{path} cannot be read: {error.strerror}.") from None
    else:
        raise CaudexError(corpora.unknown(spec, f"a {' or '.join(TABLES)}, or a folder with one folder a class"))
    kept = [row for row in found if all(value.strip() for value in row)]
    classes = tuple(sorted({row[1].strip() for row in kept}))
    if len(classes) < 2:
        only = f"one class, {classes[0]!r}" if classes else "no labelled text"
        raise CaudexError(f"{spec} has {only}; a classifier needs two.")
    numbers = {name: number for number, name in enumerate(classes)}
    return LabelledTexts(
        [row[0] for row in kept],
        torch.tensor([numbers[row[1].strip()] for row in kept]),
        classes,
        [row[2] for row in kept] if second else None,
        len(found) - len(kept),
        decoder.replaced,
        skipped,
    )


def _of_folders(root: Path, strict: bool, decoder: Decoder, skipped: list) -> Iterator[list[str]]:
    """[text, class] of each document; the class is the folder's name."""
    names = folders_in(root)
    if not names:
        raise CaudexError(f"{root} has no folders in it; give one folder a class, or a {' or '.join(TABLES)}.")
    for name in names:
        inside, whole = open_documents(str(root / name), strict=strict), {}
        for number, piece in inside:
            whole.setdefault(number, []).append(piece)
        yield from (["".join(pieces), name] for pieces in whole.values())
        skipped += inside.skipped
        decoder.replaced += inside.replaced
