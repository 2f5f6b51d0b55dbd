"""The tables that ask reads and writes."""

from __future__ import annotations

import csv
import io
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caudex.core.errors import CaudexError, counted

if TYPE_CHECKING:
    from torch import Tensor

    from caudex.data.text.labelled_texts import LabelledTexts

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json")


def read_columns(file: Path, required: str, optional: str) -> list[tuple[str, str, str]]:
    """(place, text, label or answer) of the rows that have a text."""
    from caudex.data.text.rows import read_rows, table_columns
    from caudex.data.text.utf8 import UTF8Decoder

    if file.suffix.lower() == ".json":
        raise CaudexError(f"{file}: give a .csv, .tsv or .jsonl, with the columns {required} and {optional}.")
    has_optional = optional in (name.casefold() for name in table_columns(file))
    decoder = UTF8Decoder()
    rows = [
        (f"{file}, line {line:,}", cells[0].strip(), cells[1].strip() if has_optional else "")
        for line, cells in read_rows(file, [required, optional][: 1 + has_optional], decoder)
    ]
    if note := decoder.describe():
        print(f"caudex: {note}.", file=sys.stderr)
    complete = [row for row in rows if row[1]]
    if not complete:
        raise CaudexError(f"{file} has no row with a {required}; give one at least.")
    if len(complete) < len(rows):
        print(f"caudex: left out, without a {required}: {counted(len(rows) - len(complete), 'row')}.", file=sys.stderr)
    return complete


def class_numbers(rows: list[tuple[str, str, str]], classes: tuple[str, ...]) -> Tensor:
    """int64 [N]: of each row's label, -1 where there is none. Raises CaudexError for a label that is no class."""
    import torch

    from caudex.data.labels import parse_label

    labels = [label if label in classes else parse_label(label) for _, _, label in rows]
    for (place, _, _), label in zip(rows, labels):
        if label and label not in classes:
            values = sorted(set(filter(None, labels)))
            words = ("negative", "positive") if values == ["0", "1"] else ["WORD"] * len(values)
            pairs = ",".join(f"{value}={word}" for value, word in zip(values, words))
            advice = (
                f"say which word stands for each, as in --labels {shlex.quote(pairs)}"
                if len(values) <= 8
                else "see --labels"
            )
            raise CaudexError(f"{place}: the label {label!r} is not one of {', '.join(classes)}; {advice}.")
    return torch.tensor([classes.index(label) if label else -1 for label in labels])


def read_examples(spec: str, classes: tuple[str, ...], tested: Sequence[str]) -> LabelledTexts:
    """The labelled texts of --examples, without those that are asked about; their labels are numbers of `classes`."""
    import torch

    from caudex.data.text.labelled_texts import LabelledTexts, load_labelled_texts

    loaded = load_labelled_texts(spec)
    if unknown := sorted(set(loaded.classes) - set(classes)):
        raise CaudexError(
            f"--examples {spec}: the label {unknown[0]!r} is not one of {', '.join(classes)}; see --labels CLASS=WORD,CLASS=WORD."
        )
    numbers = torch.tensor([classes.index(name) for name in loaded.classes])
    examples = LabelledTexts(loaded.texts, numbers[loaded.labels], classes)
    is_tested = examples.stands_in(LabelledTexts(list(tested), torch.zeros(len(tested)), classes))
    if is_tested.all():
        raise CaudexError(f"--examples {spec} has no text that is not asked about; give others.")
    notes = list(loaded.notes)
    if is_tested.any():
        notes.append(f"left out of the examples, for they are asked about: {counted(int(is_tested.sum()), 'text')}")
    for note in notes:
        print(f"caudex: --examples {spec}: {note}.", file=sys.stderr)
    return examples.select(~is_tested)


def write_answers(file: Path | None, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """All rows as .csv, or nothing."""
    if file is None:
        return
    from caudex.core.disk import write_atomically

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    try:
        write_atomically(file, text.getvalue())
    except OSError as error:
        raise CaudexError(f"--to {file} could not be written ({error.strerror}); choose another place.") from None
    print(f"caudex: wrote {file}.", file=sys.stderr)
