"""The command predict."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence

from caudex.cli.commands import PredictFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file, print_table
from caudex.core.errors import CaudexError, counted


def predict_command(words: Sequence[str]) -> None:
    flags = parse_flags(PredictFlags, words, "predict")
    from caudex.core.system import load
    from caudex.models.classifier import Classifier

    if not flags.files:
        raise CaudexError(f"say which images or texts: caudex predict {flags.run} FILES..., files or folders.")
    check_new_file("--csv", flags.csv)
    model = load(flags.run)
    if not isinstance(model, Classifier):
        raise CaudexError(f"{flags.run} holds nothing that predicts classes.")
    names, inputs, skipped = (_read_texts if hasattr(model, "tokenizer") else _read_images)(flags, model)
    if not names:
        raise CaudexError(f"nothing can be read of {counted(len(skipped), 'file')}; {skipped[0][0]}: {skipped[0][1]}.")
    for path, reason in skipped:
        print(f"caudex: skipped {path}: {reason}", file=sys.stderr)
    columns = {"class": model.predict(inputs)}
    if getattr(model, "columns", {}):  # of labels that were learned by --also
        columns |= model.predict_columns(inputs)
    header = ["file"]
    for column in columns:
        header += [column, "confidence" if column == "class" else f"confidence in {column}"]
    rows = [(name, *predictions) for name, *predictions in zip(names, *columns.values())]
    if flags.csv:
        with flags.csv.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.writer(file).writerows([header, *format_rows(rows, ".6f")])
        print(flags.csv)
    else:
        print_table([header, *format_rows(rows, ".1%")])


def format_rows(rows: Sequence[tuple], number_format: str) -> Iterator[tuple]:
    """The cells of rows of a name and pairs (class, confidence)."""
    for name, *predictions in rows:
        yield name, *(cell for label, share in predictions for cell in (label, f"{share:{number_format}}"))


def _read_texts(flags: PredictFlags, model) -> tuple:
    """Names, texts, and (path, reason) of the skipped files; tables are read by the column that the run was trained on."""
    from caudex.core.run import Run
    from caudex.data.text.documents import read_documents

    names, texts, skipped, replaced = read_documents(flags.files, Run(flags.run).settings()["settings"].get("text"))
    if replaced:
        print(f"caudex: {replaced}.", file=sys.stderr)
    return names, texts, skipped


def _read_images(flags: PredictFlags, model) -> tuple:
    """Names, images, and (path, reason) of the skipped files."""
    from caudex.data import read_images

    images, names, skipped, notes = read_images(flags.files, model.shape, model.pixel_range)
    for note in notes:
        print(f"caudex: {note}.", file=sys.stderr)
    return names, images, skipped
