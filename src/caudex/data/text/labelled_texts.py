"""Texts that somebody has labelled, in memory."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.files import describe_skipped, list_files, list_folders, not_found_message
from caudex.data.labels import describe_distinct, describe_missing, parse_label, similar_classes
from caudex.data.layouts import describe_no_classes, describe_wrapper, find_layout, list_class_folders
from caudex.data.text import corpora
from caudex.data.text.documents import TEXT_SUFFIXES, open_documents
from caudex.data.text.rows import TABLE_SUFFIXES, read_rows
from caudex.data.text.utf8 import UTF8Decoder


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """`text_pairs` are the second texts, where examples are pairs; `dropped_rows` had an empty text or label. `test` is the
    test of their own, where they have one; `notes` are sentences on how they were read, for the screen."""

    texts: list[str]
    labels: Tensor  # int64 [N]
    classes: tuple[str, ...]
    text_pairs: list[str] | None = None
    dropped_rows: int = 0
    replaced_bytes: int = 0  # bytes that were not UTF-8
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (path, reason)
    test: LabelledTexts | None = None
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, index: Tensor) -> LabelledTexts:
        """The texts at `index`: integers, or a mask."""
        rows = torch.arange(len(self))[index].tolist()
        text_pairs = None if self.text_pairs is None else [self.text_pairs[i] for i in rows]
        return LabelledTexts([self.texts[i] for i in rows], self.labels[rows], self.classes, text_pairs)

    def stands_in(self, others: LabelledTexts) -> Tensor:
        """bool [N]: whether an equal text, whatever its white space, is among the others."""
        keys = set(others.keys())
        return torch.tensor([key in keys for key in self.keys()], dtype=torch.bool)

    def keys(self) -> Iterator[tuple[str, ...]]:
        """Of each text, or pair of texts: what is the same for equal ones."""
        columns = [self.texts] if self.text_pairs is None else [self.texts, self.text_pairs]
        return (tuple(" ".join(unicodedata.normalize("NFC", text).split()) for text in row) for row in zip(*columns))


def load_labelled_texts(
    spec: str,
    text_column: str = "text",
    label_column: str = "label",
    pair_column: str | None = None,
    strict: bool = False,
    keep_unlabelled: bool = False,
) -> LabelledTexts:
    """The texts of a .csv or .jsonl with columns of these names, of a folder with one folder a class (in the layouts of
    `find_layout`), or of a packaged set such as films.

    Rows without a label are left out, or kept with the label -1. Raises CaudexError for a column that is not there, where there is
    no text, and for labels of one class only.
    """
    path = corpora.corpus_folder(spec) if spec in corpora.CORPORA else Path(spec).expanduser()
    if path.is_dir() and not list_folders(path):  # a packaged set: one table
        tables = list_files(path, TABLE_SUFFIXES)
        path = path / tables[0] if len(tables) == 1 else path
    decoder, skipped, test_rows = UTF8Decoder(strict), [], []
    if path.is_dir():
        if pair_column:
            raise CaudexError(f"{spec} is a folder, which cannot hold pairs of texts; give a .csv or .jsonl.")
        rows, test_rows = _read_class_folders(path, decoder, skipped)
    elif path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        columns = [text_column, label_column] + ([pair_column] if pair_column else [])
        try:
            rows = [_check_label(path, line, values, decoder) for line, values in read_rows(path, columns, decoder)]
        except OSError as error:
            raise CaudexError(f"{path} cannot be read: {error.strerror}.") from None
    else:
        expected = f"a {' or '.join(TABLE_SUFFIXES)}, or a folder with one folder a class"
        raise CaudexError(not_found_message(spec, expected, corpora.CORPORA, "text"))
    notes = [decoder.describe()]
    if not path.is_dir():  # the name of a folder is a class, whatever it is
        notes.insert(
            0, describe_missing((row[1] for row in rows), "kept unlabelled" if keep_unlabelled else "left out")
        )
        rows = [[row[0], parse_label(row[1]), *row[2:]] for row in rows]
        labelled = [row[1] for row in rows if row[1]]
        notes.append(describe_distinct(label_column, len(labelled), len(set(labelled))))
    if no_text := sum(not all(cell.strip() for i, cell in enumerate(row) if i != 1) for row in rows):
        notes.append(f"rows without a text, left out: {no_text:,}")
    texts = _encode_rows(rows, (), bool(pair_column), keep_unlabelled)
    if len(texts.classes) < 2:
        only = f"one class, {texts.classes[0]!r}" if texts.classes else "no labelled text"
        if path.is_dir():
            notes.append(describe_wrapper(path, lambda folder: list_files(folder, TEXT_SUFFIXES)).rstrip("."))
        left_out = "".join(f" {note[0].upper()}{note[1:]}." for note in notes if note)
        raise CaudexError(f"{spec} has {only}; a classifier needs two.{left_out}")
    test = _encode_rows(test_rows, texts.classes, False) if test_rows else None
    if test and len(test.classes) > len(texts.classes):
        raise CaudexError(f"{spec} has a class {test.classes[-1]!r} in its test that is not among those to learn from.")
    notes += describe_no_classes(texts.classes) if path.is_dir() else []
    notes += [*similar_classes(texts.classes), _describe_contradictions(texts), describe_skipped(skipped)]
    return replace(
        texts,
        replaced_bytes=decoder.replaced_bytes,
        skipped=skipped,
        test=test,
        notes=[note for note in notes if note],
    )


def _encode_rows(
    rows: list[list[str]], classes: tuple[str, ...], has_pairs: bool, keep_unlabelled: bool = False
) -> LabelledTexts:
    """Rows of [text, label, perhaps second text], without those that lack one; further classes come after the given."""
    complete = [row for row in rows if all(cell.strip() or (i == 1 and keep_unlabelled) for i, cell in enumerate(row))]
    labels = [row[1] for row in complete]
    classes = (*classes, *sorted(set(labels) - set(classes) - {""}))
    numbers = {"": -1} | {name: number for number, name in enumerate(classes)}
    return LabelledTexts(
        [row[0] for row in complete],
        torch.tensor([numbers[label] for label in labels], dtype=torch.int64),
        classes,
        [row[2] for row in complete] if has_pairs else None,
        len(rows) - len(complete),
    )


def _check_label(path: Path, line: int, row: list[str], decoder: UTF8Decoder) -> list[str]:
    """The row; raises CaudexError where its label is not UTF-8: texts are read with what was replaced, names of classes not."""
    if "\ufffd" in row[1]:
        advice = f" {decoder.advice[0].upper()}{decoder.advice[1:]}." if decoder.advice else " Save it as UTF-8."
        raise CaudexError(f"{path}, line {line:,}: the label {row[1]!r} is not UTF-8.{advice}")
    return row


def _describe_contradictions(texts: LabelledTexts) -> str:
    """A sentence on equal texts of several classes; "" where there are none."""
    labels: dict[tuple[str, ...], set[int]] = {}
    for key, label in zip(texts.keys(), texts.labels.tolist()):
        labels.setdefault(key, set()).add(label)
    contradictory = {key: classes for key, classes in labels.items() if len(classes) > 1}
    if not contradictory:
        return ""
    key, classes = next(iter(contradictory.items()))
    names = " and ".join(repr(texts.classes[label]) for label in sorted(classes))
    return f"texts with more than one label: {len(contradictory):,}, such as {key[0][:40]!r}, {names}; keep one of each"


def _read_class_folders(root: Path, decoder: UTF8Decoder, skipped: list) -> tuple[list[list[str]], list[list[str]]]:
    """[text, class] of each document to learn from, and of each to test on; the class is the folder's name."""
    if not list_folders(root):
        raise CaudexError(f"{root} has no folders in it; give one folder a class, or a {' or '.join(TABLE_SUFFIXES)}.")
    layout = find_layout(root, lambda folder: list_files(folder, TEXT_SUFFIXES))
    if layout.ambiguity:
        raise CaudexError(layout.ambiguity)
    skipped += layout.skipped
    skipped += [
        (f"{root / name}/", "a classifier of texts learns from labelled ones alone") for name in layout.unlabelled
    ]
    parts = [(root / layout.class_root, layout.classes)]
    if layout.test:
        parts.append((root / layout.test, list_folders(root / layout.test)))
    train, *test = (
        [
            row
            for name, folders in list_class_folders(names).items()
            for row in _read_class(part, name, folders, decoder, skipped)
        ]
        for part, names in parts
    )
    return train, test[0] if test else []


def _read_class(part: Path, name: str, folders: list[str], decoder: UTF8Decoder, skipped: list) -> Iterator[list[str]]:
    for folder in folders:
        documents, chunks = open_documents(str(part / folder), strict=decoder.strict), {}
        for number, chunk in documents:
            chunks.setdefault(number, []).append(chunk)
        yield from (["".join(parts), name] for parts in chunks.values())
        skipped += documents.skipped
        decoder.replaced_bytes += documents.replaced_bytes
        decoder.advice = decoder.advice or documents.advice
