"""The command predict."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from caudex.cli.commands import PredictFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file, print_table
from caudex.core.errors import CaudexError, counted
from caudex.core.progress import ProgressBar
from caudex.core.ranges import check_range

STANDARD = "-"
"""standard input as a list of files, standard output as a CSV"""


class Inputs(NamedTuple):
    """Some of the images or texts to predict."""

    names: list[str]
    inputs: Sequence
    skipped: list[tuple[str, str]]  # (path, reason)


def predict_command(words: Sequence[str]) -> None:
    flags = parse_flags(PredictFlags, words, "predict")
    from caudex.core.system import load
    from caudex.models.classifier import Classifier
    from caudex.models.image_predictor import ImagePredictor

    if not flags.files:
        raise CaudexError(f"say which images or texts: caudex predict {flags.run} FILES..., files or folders.")
    if str(flags.csv) != STANDARD:
        check_new_file("--csv", flags.csv)
    if flags.probabilities and not flags.csv:
        raise CaudexError("--probabilities are columns of a CSV; add --csv FILE, or --csv - for standard output.")
    model = load(flags.run)
    if not isinstance(model, (Classifier, ImagePredictor)):
        raise CaudexError(f"{flags.run} holds nothing that predicts classes.")
    if flags.top > 1 and not isinstance(model, Classifier):
        raise CaudexError(
            f"--top {flags.top} is about classes, and {flags.run} predicts {model.spec.target}; leave it out."
        )
    check_range(flags, top=(1, max(1, len(model.classes))), max_pixels=(16, float("inf")))
    paths, missing = list_paths(flags.files)
    batches = (read_texts if hasattr(model, "tokenizer") else read_batches)(flags, model, paths)
    with open_output(flags.csv, column_names(flags, model)) as write_rows:
        count, skipped = 0, missing
        for names, inputs, unreadable in batches:
            skipped += unreadable
            if names:
                write_rows(prediction_rows(flags, model, names, inputs))
            count += len(names)
            if count:
                for path, reason in skipped:
                    print(f"caudex: skipped {path}: {reason}", file=sys.stderr)
                skipped = []
        if not count:
            raise CaudexError(
                f"nothing can be read of {counted(len(skipped), 'file')}; {skipped[0][0]}: {skipped[0][1]}."
            )
    if flags.csv and str(flags.csv) != STANDARD:
        print(flags.csv)


def column_names(flags: PredictFlags, model) -> list[str]:
    """The file; the tags or the number; of the class, and of each further column of labels that was learned, the likeliest values
    with their confidences; perhaps the probability of each value."""
    names, values = ["file", *(model.cell_names if hasattr(model, "cell_names") else ())], [*tags_of(model)]
    for column, classes in class_columns(model).items():
        confidence = "confidence" if column == "class" else f"confidence in {column}"
        for rank in range(1, min(flags.top, len(classes)) + 1):
            names += [column, confidence] if rank == 1 else [f"{column}_{rank}", f"{confidence}_{rank}"]
        values += classes if column == "class" else [f"{column} {name}" for name in classes]
    return names + values * flags.probabilities


def class_columns(model) -> dict[str, Sequence[str]]:
    """The class, and the further columns of labels that were learned by --also: the classes of each."""
    return ({} if hasattr(model, "cells") else {"class": model.classes}) | getattr(model, "columns", {})


def tags_of(model) -> Sequence[str]:
    """The tags that the model predicts, () where it predicts something else."""
    return model.classes if hasattr(model, "cells") else ()


def prediction_rows(flags: PredictFlags, model, names: list[str], inputs: Sequence) -> Iterator[list[str]]:
    """A row of `column_names` for each input."""
    import torch

    from caudex.models.classifier import rank_classes

    number = "{:.6f}".format if flags.csv else "{:.1%}".format
    target_cells = model.cells(inputs, number) if hasattr(model, "cells") else [()] * len(names)
    probabilities = {} if hasattr(model, "cells") else {"class": model.probabilities(inputs)}
    if getattr(model, "columns", {}):
        probabilities |= model.column_probabilities(inputs)
    rankings = [rank_classes(probabilities[name], classes, flags.top) for name, classes in class_columns(model).items()]
    of_tags = model.probabilities(inputs) if flags.probabilities and tags_of(model) else torch.empty(len(names), 0)
    values = torch.cat([of_tags, *probabilities.values()], 1).tolist()
    for row, name in enumerate(names):
        likeliest = chain.from_iterable(ranking[row] for ranking in rankings)
        cells = (cell for label, confidence in likeliest for cell in (label, number(confidence)))
        yield [name, *target_cells[row], *cells, *(map(number, values[row]) if flags.probabilities else ())]


def list_paths(files: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The files and folders, `-` replaced by the lines of standard input; and (path, reason) of lines that lead nowhere,
    which need not stop the others."""
    paths, missing = [], []
    for file in files:
        if file != STANDARD:
            paths.append(file)
            continue
        lines = [os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer]
        for line in filter(None, lines):
            if Path(line).exists():
                paths.append(line)
            else:
                missing.append((line, "not there"))
        if not any(lines):
            raise CaudexError(
                "standard input names no file; give paths, one a line: ls new/*.jpg | caudex predict RUN -"
            )
    if not paths:
        raise CaudexError(
            f"nothing is there of {counted(len(missing), 'file')} on standard input; the first is {missing[0][0]}."
        )
    return paths, missing


def read_batches(flags: PredictFlags, model, paths: list[str]) -> Iterator[Inputs]:
    """The images of the files in batches, with a bar."""
    from caudex.data import ImageStream, image_files, stream_encoder

    image_format = model.image_format
    if flags.max_pixels:
        image_format = image_format._replace(max_pixels=flags.max_pixels)
    names, skipped = image_files(paths)
    encode = stream_encoder(image_format, model.encoder, len(names)) if model.encoder else None
    return show_progress(ImageStream(names, image_format), encode, skipped)


def show_progress(stream, encode: Callable | None, skipped: list[tuple[str, str]]) -> Iterator[Inputs]:
    yield Inputs([], [], skipped)
    total = len(stream.names)
    with ProgressBar("predicting", total) as progress:
        for images, names, unreadable in stream:
            yield Inputs(names, encode(images) if encode and names else images, unreadable)
            amount = len(names) + len(unreadable)
            progress.advance(amount, lambda: f"{progress.completed:,.0f} of {counted(total, 'file')}")
    for note in stream.notes():
        print(f"caudex: {note}.", file=sys.stderr)


def read_texts(flags: PredictFlags, model, paths: list[str]) -> Iterator[Inputs]:
    """All texts at once; tables are read by the column that the run was trained on."""
    from caudex.core.run import Run
    from caudex.data.text.documents import read_documents

    names, texts, skipped, replaced = read_documents(paths, Run(flags.run).settings()["settings"].get("text"))
    if replaced:
        print(f"caudex: {replaced}.", file=sys.stderr)
    return iter([Inputs(names, texts, skipped)])


@contextmanager
def open_output(file: Path | None, header: Sequence[str]) -> Iterator[Callable[[Iterable[Sequence[str]]], None]]:
    """Writes rows as they come: as tables on the screen, or as CSV to standard output or to FILE.partial, which becomes
    FILE when all are written."""
    if file is None:
        yield lambda rows: print_table([tuple(header), *map(tuple, rows)])
        return
    if str(file) == STANDARD:
        writer = csv.writer(sys.stdout)
        writer.writerow(header)
        yield writer.writerows
        return
    partial = file.with_name(f"{file.name}.partial")
    try:
        opened = partial.open("w", newline="", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise CaudexError(f"--csv {file} cannot be written ({error.strerror}); choose another place.") from None
    try:
        with opened:
            writer = csv.writer(opened)
            writer.writerow(header)
            yield writer.writerows
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(file)
    except OSError as error:
        raise CaudexError(
            f"--csv {file} could not be written ({error.strerror}); {partial} has the first rows."
        ) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; {partial} has the rows so far.") from None
    except CaudexError:
        partial.unlink()
        raise
