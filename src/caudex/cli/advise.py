"""The command advise: which method to begin with, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from caudex.cli.commands import AdviseFlags
from caudex.cli.flags import parse_flags
from caudex.cli.queues import relative_names
from caudex.cli.terminal import create_run_folder, hold_run, print_table, print_wrapped
from caudex.core.errors import CaudexError
from caudex.core.ranges import check_range


def advise_command(words: Sequence[str]) -> None:
    flags = parse_flags(AdviseFlags, words, "advise")
    if flags.data is None:
        raise CaudexError("say which images you have: caudex advise photos/, or a table such as labels.csv.")
    check_range(flags, more=(1, 1_000_000), repeats=(0, 1000))
    from caudex.core.hardware import Hardware
    from caudex.core.run import Run
    from caudex.evaluation.doctor import off_topic_findings, wrong_labels
    from caudex.reports.advise import advice_rows, advice_sentences, write_advice_page
    from caudex.systems.encoded import read_encoded
    from caudex.systems.studies.advise import advise, cheap_methods, settings_for

    run = Run(create_run_folder(flags.run, "advise", Hardware()), flags.seed)
    with hold_run(run, fresh=True):
        unsplit, encoder = read_encoded(flags.data, flags.labels, flags.trunk, flags.size, flags.pad)
        images = unsplit.images.take(~unsplit.is_test)
        if images.target != "class":
            raise CaudexError(f"advise is about classes, and column {images.target_name!r} has {images.target}.")
        trunk = "small" if encoder is None else flags.trunk
        settings = settings_for(trunk, flags.seed, data=flags.data, labels=flags.labels, size=flags.size, pad=flags.pad)
        advice = advise(images, encoder, cheap_methods(settings), flags.more, flags.seed, flags.repeats)
        wrong = wrong_labels(images, encoder, flags.seed)
        off_topic, _ = off_topic_findings(images, unsplit.is_test[~unsplit.is_test])
        sentences = advice_sentences(advice, images, wrong, off_topic, flags.more, flags.seed, training_command(flags))
        write_advice_page(run, advice, images, wrong, off_topic, flags.more, sentences)
    print_table(advice_rows(advice, flags.more))
    for sentence in sentences:
        print_wrapped(sentence)
    if wrong:
        names = relative_names(images, flags.data)
        print_table([("probably wrong labels", ""), *((names[f.row], f.reason) for f in wrong[:5])])
    print(run.path / "report.html")


def training_command(flags: AdviseFlags) -> str:
    """The flags that every training on these images has, as they are typed."""
    words = ["--data", flags.data]
    for name, value in (("labels", flags.labels), ("size", flags.size or None)):
        words += [f"--{name}", str(value)] if value is not None else []
    words += ["--trunk", flags.trunk] if flags.trunk != "auto" else []
    return shlex.join([*words, *["--pad"] * flags.pad])
