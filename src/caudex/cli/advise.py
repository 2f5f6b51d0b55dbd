"""The command advise: which method to begin with, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from caudex.cli.commands import AdviseFlags
from caudex.cli.flags import parse_flags
from caudex.cli.queues import relative_names
from caudex.cli.terminal import create_run_folder, hold_run, print_table, print_wrapped
from caudex.core.errors import CaudexError, counted
from caudex.core.ranges import check_range


def advise_command(words: Sequence[str]) -> None:
    flags = parse_flags(AdviseFlags, words, "advise")
    if flags.data is None:
        raise CaudexError("say which images or texts you have: caudex advise photos/, or a table such as reviews.csv.")
    check_range(flags, more=(1, 1_000_000), repeats=(1, 1000))
    from caudex.core.hardware import Hardware
    from caudex.core.run import Run

    is_begun = flags.run is not None and (flags.run / "advice.json").is_file()
    if is_begun and (flags.run / "report.html").exists():
        raise CaudexError(f"{flags.run / 'report.html'} has this advice; choose another --run for new advice.")
    run = Run(flags.run if is_begun else create_run_folder(flags.run, "advise", Hardware()), flags.seed)
    command = ["caudex", "advise", *words, *([] if flags.run else ["--run", str(run.path)])]
    with hold_run(run, fresh=not is_begun, way_on=shlex.join(command)):
        (advise_texts if are_texts(flags.data, flags.text) else advise_images)(flags, run)
    print(run.path / "report.html")


def are_texts(data: str, column: str) -> bool:
    """Whether this is a packaged set of texts, or a table with a column of this name."""
    from caudex.data.text.corpora import CORPORA
    from caudex.data.text.rows import TABLE_SUFFIXES, table_columns

    path = Path(data).expanduser()
    return data in CORPORA or (
        path.suffix.lower() in TABLE_SUFFIXES and path.is_file() and column in table_columns(path)
    )


def advise_images(flags: AdviseFlags, run) -> None:
    from caudex.evaluation.doctor import off_topic_findings, wrong_labels
    from caudex.reports.advise import advice_sentences, image_examples, write_advice_page
    from caudex.systems.encoded import read_encoded
    from caudex.systems.studies.advise import advise_on_images, settings_for, short_methods
    from caudex.systems.studies.trial_files import digest_examples, record_advice

    unsplit, encoder = read_encoded(flags.data, flags.labels, flags.trunk, flags.size, flags.pad)
    images = unsplit.images.take(~unsplit.is_test)
    if images.target != "class":
        raise CaudexError(f"advise is about classes, and column {images.target_name!r} has {images.target}.")
    record_advice(run, recorded_flags(flags), digest_examples(image_bytes(images), images.labels))
    trunk = "small" if encoder is None else flags.trunk
    settings = settings_for(trunk, flags.seed, data=flags.data, labels=flags.labels, size=flags.size, pad=flags.pad)
    methods = short_methods(settings, encoder is not None)
    advice = advise_on_images(images, encoder, methods, flags.more, flags.seed, flags.repeats, run)
    wrong = wrong_labels(images, encoder, flags.seed)
    off_topic, _ = off_topic_findings(images, unsplit.is_test[~unsplit.is_test])
    command = f"; `caudex doctor {shlex.quote(flags.data)}` lists them"
    warning, words = describe_wrong(wrong, command), image_flags(flags)
    sentences = advice_sentences(advice, warning, len(off_topic), flags.more, words, on_pixels=encoder is None)
    sentences += describe_sample(int((~images.is_labelled).sum()), "images")
    examples = image_examples(run, images, wrong, off_topic)
    write_advice_page(run, advice, counted(len(images), "image"), flags.more, sentences, list(examples))
    names = relative_names(images, flags.data)
    print_advice(advice, flags.more, sentences, [(names[finding.row], finding.reason) for finding in wrong])


def advise_texts(flags: AdviseFlags, run) -> None:
    from caudex.data import load_labelled_texts
    from caudex.evaluation.doctor import unlikely_labels
    from caudex.reports.advise import advice_sentences, text_examples, write_advice_page
    from caudex.systems.studies.advise import advise
    from caudex.systems.studies.text_methods import encode_for_advice, text_predictors
    from caudex.systems.studies.trial_files import digest_examples, record_advice

    texts = load_labelled_texts(flags.data, flags.text, flags.label, keep_unlabelled=True)
    is_labelled = texts.labels >= 0
    for note in texts.notes:
        print_wrapped(note)
    record_advice(run, recorded_flags(flags), digest_examples((text.encode() for text in texts.texts), texts.labels))
    features = encode_for_advice(texts)
    labelled = texts.select(is_labelled)
    predictors = text_predictors(texts, features, is_labelled)
    advice = advise(labelled.labels, texts.classes, predictors, flags.more, flags.seed, flags.repeats, run)
    wrong = unlikely_labels(features[is_labelled], labelled.labels, texts.classes, True, flags.seed)
    sentences = advice_sentences(advice, describe_wrong(wrong, ""), 0, flags.more, text_flags(flags))
    sentences += describe_sample(int((~is_labelled).sum()), "texts")
    examples = text_examples(labelled.texts, wrong)
    write_advice_page(run, advice, counted(len(texts), "text"), flags.more, sentences, list(examples))
    excerpts = [(" ".join(labelled.texts[finding.row].split())[:50], finding.reason) for finding in wrong]
    print_advice(advice, flags.more, sentences, excerpts)


def recorded_flags(flags: AdviseFlags) -> dict:
    """What the trials follow from, besides the examples."""
    return {name: value for name, value in vars(flags).items() if name not in ("run", "more")}


def image_bytes(images) -> Iterator[bytes]:
    """What is learned from, a thousand images at a time."""
    for start in range(0, len(images), 1000):
        yield images.inputs(slice(start, start + 1000)).numpy().tobytes()


def print_advice(advice, more: int, sentences: Sequence[str], wrong: Sequence[tuple[str, str]]) -> None:
    from caudex.reports.advise import advice_rows

    print_table(advice_rows(advice, more))
    for sentence in sentences:
        print_wrapped(sentence)
    if wrong:
        print_table([("probably wrong labels", ""), *wrong[:5]])


def describe_wrong(wrong: Sequence, way_on: str) -> str:
    return f"{counted(len(wrong), 'label')} may be wrong{way_on}." if wrong else ""


def describe_sample(num_unlabelled: int, noun: str) -> list[str]:
    """A sentence where the methods learned from some of the unlabelled examples alone."""
    from caudex.systems.studies.methods import MAX_UNLABELLED

    if num_unlabelled <= MAX_UNLABELLED:
        return []
    return [f"The methods learned from {MAX_UNLABELLED:,} of {num_unlabelled:,} unlabelled {noun}, evenly spaced."]


def image_flags(flags: AdviseFlags) -> str:
    """The flags that every training on these images has, as they are typed."""
    words = ["--data", flags.data]
    for name, value in (("labels", flags.labels), ("size", flags.size or None)):
        words += [f"--{name}", str(value)] if value is not None else []
    words += ["--trunk", flags.trunk] if flags.trunk != "auto" else []
    return shlex.join([*words, *["--pad"] * flags.pad])


def text_flags(flags: AdviseFlags) -> str:
    """The same of texts."""
    words = ["--data", flags.data]
    for name in ("text", "label"):
        words += [f"--{name}", getattr(flags, name)] if getattr(flags, name) != name else []
    return shlex.join(words)
