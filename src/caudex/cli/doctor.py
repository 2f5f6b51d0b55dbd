"""The command doctor: what is wrong with a set of images."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from caudex.cli.commands import ImagesFlags
from caudex.cli.flags import parse_flags
from caudex.cli.queues import relative_names, table_text
from caudex.cli.terminal import create_run_folder, hold_run, print_table, print_wrapped
from caudex.core.errors import CaudexError, counted

SHOWN = 5
"""findings of a kind that are printed"""
TILES = 24
"""images of a kind on the page"""


def doctor_command(words: Sequence[str]) -> None:
    flags = parse_flags(ImagesFlags, words, "doctor")
    if flags.data is None:
        raise CaudexError("say which images to examine: caudex doctor photos/, or a table such as labels.csv.")
    from caudex.core.hardware import Hardware
    from caudex.core.run import Run
    from caudex.evaluation.doctor import examine_images, queue_rows
    from caudex.reports.doctor import write_doctor_page
    from caudex.systems.encoded import read_encoded

    run = Run(create_run_folder(flags.run, "doctor", Hardware()), flags.seed)
    with hold_run(run, fresh=True, way_on=shlex.join(["caudex", "doctor", *words])):
        unsplit, encoder = read_encoded(flags.data, flags.labels, flags.trunk, flags.size, flags.pad)
        images, is_test = unsplit.images, unsplit.is_test
        if images.target != "class":
            raise CaudexError(f"doctor examines classes, and column {images.target_name!r} has {images.target}.")
        examination = examine_images(images, is_test, encoder, flags.seed)
        findings = [finding for part in examination.findings.values() for finding in part if not is_test[finding.row]]
        names = relative_names(images, flags.data)
        training = images.take(~is_test)
        rows = (~is_test).nonzero().flatten().tolist()
        position = {row: i for i, row in enumerate(rows)}
        queue = queue_rows(
            training,
            [finding._replace(row=position[finding.row]) for finding in findings],
            [names[row] for row in rows],
        )
        run.write("labels.csv", table_text(queue).encode("utf-8", "surrogateescape"))
        write_doctor_page(run, images, examination, unsplit.skipped, [*unsplit.notes, *examination.sentences], TILES)
    for kind, part in examination.findings.items():
        rows = [(names[finding.row], finding.reason) for finding in part[:SHOWN]]
        print_table([(f"{kind}: {len(part):,}", ""), *rows])
    for sentence in examination.sentences:
        print_wrapped(sentence)
    if unsplit.skipped:
        path, reason = unsplit.skipped[0]
        print_wrapped(f"{counted(len(unsplit.skipped), 'file')} cannot be read, the first is {path} ({reason}).")
    if not findings:
        print_wrapped(
            f"nothing odd was found in {counted(len(images), 'image')}. {run.path / 'report.html'} has the rest."
        )
        return
    table = str(run.path / "labels.csv")
    mend = shlex.join(["caudex", "label", flags.data, "--queue", table, "--labels", table])
    print_wrapped(
        f"{run.path / 'report.html'} shows all. Mend {table}, by hand or with `{mend}`, and train with --labels {shlex.quote(table)}."
    )
