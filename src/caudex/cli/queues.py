"""The commands suggest and audit, and the tables of images to look at."""

from __future__ import annotations

import csv
import io
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from caudex.cli.commands import AuditFlags, QueueFlags, SuggestFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file, print_table, print_wrapped
from caudex.core.errors import CaudexError, counted
from caudex.core.ranges import check_range
from caudex.core.registry import did_you_mean

SHOWN = 20
"""rows that are printed where no --csv is given"""
WAYS = ("margin", "core-set", "both")


def suggest_command(words: Sequence[str]) -> None:
    flags = parse_flags(SuggestFlags, words, "suggest")
    if flags.by not in WAYS:
        raise CaudexError(f"--by {flags.by} is unknown.{did_you_mean(flags.by, WAYS)} Choose {', '.join(WAYS)}.")
    model, images, unlabelled = read_unlabelled(flags, "suggest")
    from caudex.evaluation.acquisition import core_set, least_margins, weighted_centres

    probabilities = model.probabilities(unlabelled)
    if flags.by == "margin":
        rows = least_margins(probabilities, flags.count)
    elif flags.by == "core-set":
        labelled = images.take(images.is_labelled)
        rows = core_set(model.features(unlabelled), model.features(labelled), flags.count)
    else:
        rows = weighted_centres(probabilities, model.features(unlabelled), flags.count)
    write_queue(flags, model, unlabelled, probabilities, rows)
    if flags.csv:
        print_wrapped(f"Label them there, or with `{label_command_line(flags, flags.labels)}`.")


def audit_command(words: Sequence[str]) -> None:
    flags = parse_flags(AuditFlags, words, "audit")
    if flags.labels and flags.audited and Path(flags.labels).resolve() == Path(flags.audited).resolve():
        raise CaudexError(
            f"--audited {flags.audited} is the table of --labels, whose images were not drawn, for they have a label; keep the labels of an "
            "audit in a table of their own, the one that --csv wrote."
        )
    model, _, unlabelled = read_unlabelled(flags, "audit")
    from caudex.evaluation.audit import draw_audit

    probabilities = model.probabilities(unlabelled)
    rows = draw_audit(probabilities.max(1).values, flags.count, flags.seed)
    if flags.audited is None:
        write_queue(flags, model, unlabelled, probabilities, rows)
        if flags.csv:
            print_audit_commands(flags, model.classes)
    else:
        print_estimate(flags, model, unlabelled, probabilities, rows)


def print_audit_commands(flags: AuditFlags, classes: Sequence[str]) -> None:
    label = f"{label_command_line(flags, str(flags.csv))} {shlex.join(['--classes', *classes])}"
    words = ["caudex", "audit", str(flags.run), flags.data]
    for name in ("labels", "count", "seed"):
        words += [f"--{name}", str(getattr(flags, name))] if getattr(flags, name) else []
    print_wrapped(
        f"Label them there, or with `{label}`: in a table of their own, for a model is not tested on what it learns from. Then "
        f"`{shlex.join([*words, '--audited', str(flags.csv)])}` prints the accuracy."
    )


def read_unlabelled(flags: QueueFlags, command: str):
    """The classifier, all images of the folder, and those of them that have no label. Raises CaudexError where there are none."""
    if flags.data is None:
        raise CaudexError(f"say which images to choose from: caudex {command} {flags.run} photos/.")
    check_range(flags, count=(1, float("inf")))
    check_new_file("--csv", flags.csv)
    from caudex.core.system import load
    from caudex.models.image_classifier import ImageClassifier
    from caudex.systems.encoded import read_for_model

    model = load(flags.run)
    if not isinstance(model, ImageClassifier):
        raise CaudexError(f"{flags.run} holds no classifier of images.")
    check_table_of_training(flags, command)
    images = read_for_model(flags.data, flags.labels, model).images
    unlabelled = images.take(~images.is_labelled)
    if len(unlabelled) == 0:
        raise CaudexError(f"every image of {flags.data} has a label; give a folder with some that have none.")
    return model, images, unlabelled


def check_table_of_training(flags: QueueFlags, command: str) -> None:
    """Raises CaudexError without --labels where the run learned from a table of labels in the same folder: without the table,
    images that it learned from would be chosen, and an audit of them is no test."""
    from caudex.core.system import open_run

    system, _ = open_run(flags.run)
    table = getattr(system, "labels", None)  # of systems that learn from images
    folders = [os.path.abspath(Path(data).expanduser()) for data in (getattr(system, "data", ""), flags.data)]  # noqa: PTH100
    if table and flags.labels is None and folders[0] == folders[1]:
        raise CaudexError(
            f"{flags.run} learned from the labels in {table}, and without that table images that it learned from would be chosen: "
            f"{shlex.join(['caudex', command, str(flags.run), flags.data, '--labels', table])}."
        )


def write_queue(flags: QueueFlags, model, unlabelled, probabilities, rows) -> None:
    """Print the chosen images, or write them as a table; and how to go on."""
    from caudex.models.classifier import rank_classes

    names, queue = relative_names(unlabelled, flags.data), []
    for row, ranking in zip(rows.tolist(), rank_classes(probabilities[rows], model.classes, 2)):
        reason = ", ".join(f"{name} {confidence:.0%}" for name, confidence in ranking)
        queue.append((names[row], "", ranking[0][0], reason))
    if flags.csv is None:
        print_table([("file", "prediction"), *((path, reason) for path, _, _, reason in queue[:SHOWN])])
        if len(queue) > SHOWN:
            print(f"and {len(queue) - SHOWN:,} more; --csv FILE writes them all.")
        return
    flags.csv.write_bytes(table_text(queue).encode("utf-8", "surrogateescape"))
    print(f"{flags.csv}: {counted(len(queue), 'image')}.")


def label_command_line(flags: QueueFlags, table: str | None) -> str:
    """The command that labels the chosen images in this table, None: the folder's own."""
    words = ["caudex", "label", flags.data, "--queue", str(flags.csv)]
    return shlex.join([*words, "--labels", table] if table else words)


def print_estimate(flags: AuditFlags, model, unlabelled, probabilities, rows) -> None:
    """The accuracy on all that are unlabelled, from the labels of those that were drawn."""
    import torch

    from caudex.evaluation.audit import estimate_accuracy
    from caudex.evaluation.intervals import wilson_interval

    names = relative_names(unlabelled, flags.data)
    labels, others = read_answers(Path(flags.audited), {names[row]: row for row in rows.tolist()}, flags.data)
    if unknown := sorted(set(labels.values()) - set(model.classes)):
        raise CaudexError(
            f"{flags.audited}: {unknown[0]!r} is no class of {flags.run}.{did_you_mean(unknown[0], model.classes)} It has "
            f"{', '.join(model.classes)}."
        )
    drawn = torch.tensor(list(labels))
    predictions = [model.classes[k] for k in probabilities[drawn].argmax(1).tolist()]
    is_right = torch.tensor([prediction == label for prediction, label in zip(predictions, labels.values())])
    estimate = estimate_accuracy(probabilities.max(1).values, drawn, is_right)
    low, high = wilson_interval(estimate.accuracy, len(drawn))
    print_wrapped(
        f"accuracy {estimate.accuracy:.1%} ({estimate.low:.1%} to {estimate.high:.1%}) on {counted(len(unlabelled), 'image')}, by "
        f"{counted(len(drawn), 'label')}. As many drawn at random would tell it from {low:.1%} to {high:.1%}; "
        f"{is_right.float().mean():.1%} of those that were drawn are right, which are the unsure ones for the most part."
    )
    if len(drawn) < len(rows):
        print_wrapped(f"{counted(len(rows) - len(drawn), 'image')} of {len(rows):,} that were drawn have no label yet.")
    if others:
        print_wrapped(f"left out: {counted(others, 'label')} of images that were not drawn.")


def read_answers(table: Path, row_of: dict[str, int], data: str) -> tuple[dict[int, str], int]:
    """The label of each drawn row that has one, and how many others are labelled. Raises CaudexError where there are too few."""
    from caudex.data.images.csv_labels import parse_csv
    from caudex.data.images.targets import choose_column
    from caudex.data.labels import parse_label

    columns, lines = parse_csv(table)
    _, name = choose_column("class", columns, table)
    column, root = columns.index(name), f"{Path(data).expanduser()}/"
    labels, others = {}, 0
    for _, path, cells in lines:
        label, row = parse_label(cells[column]), row_of.get(path.removeprefix(root))
        if label and row is not None:
            labels[row] = label
        others += bool(label and row is None)
    if len(labels) < 10:
        raise CaudexError(
            f"{table} labels {len(labels)} of the {len(row_of):,} images that were drawn; label at least 10 of them, with the same --count and --seed."
        )
    return labels, others


def relative_names(images, data: str) -> Sequence[str]:
    """What each image is called in a table of labels: its path from the folder of the data."""
    path = Path(data).expanduser()
    root = f"{path if path.is_dir() else path.parent}/"
    return [images.name(row).removeprefix(root) for row in range(len(images))]


def table_text(rows: Sequence[Sequence[str]]) -> str:
    from caudex.data.images.label_queue import QUEUE_COLUMNS

    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([("path", *QUEUE_COLUMNS), *rows])
    return text.getvalue()
