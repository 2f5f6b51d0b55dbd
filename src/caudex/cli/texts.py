"""Commands for texts: generate, fill, ask, import, search."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from caudex.cli.commands import AskFlags, FillFlags, GenerateFlags, ImportFlags, SearchFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import create_run_folder, hold_run, print_table
from caudex.core.errors import CaudexError


def generate_command(words: Sequence[str]) -> None:
    flags = parse_flags(GenerateFlags, words, "generate")
    limits = {"--max-tokens": (flags.max_tokens, 1, 1 << 20), "--num": (flags.num, 1, 1024)}
    limits |= {"--temperature": (flags.temperature, 0, 100), "--top-p": (flags.top_p, 1e-6, 1)}
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise CaudexError(f"{name} {value:g} is out of range; it must be between {low:g} and {high:g}.")
    model = _load_language_model(flags.run)
    model.needs("next-token", "generate")
    size, context = model.size(flags.prompt), model.trunk.context
    if size > context:
        print(
            f"caudex: the prompt has {size:,} tokens, the model sees {context:,}: it goes on from the last {context:,}.",
            file=sys.stderr,
        )
    settings = (flags.prompt, flags.max_tokens, flags.temperature, flags.top_p, flags.num, flags.seed)
    if flags.num == 1:  # as it comes
        print(flags.prompt, end="", flush=True)
        for (token,) in model.generate(*settings):
            print(token, end="", flush=True)
        print()
        return
    texts = [flags.prompt] * flags.num
    for tokens in model.generate(*settings):
        texts = [text + token for text, token in zip(texts, tokens)]
    for number, text in enumerate(texts, 1):
        print(f"--- {number}\n{text}")


def fill_command(words: Sequence[str]) -> None:
    flags = parse_flags(FillFlags, words, "fill")
    model = _load_language_model(flags.run)
    if flags.then is not None:
        from caudex.core.run import Run

        random_share = (
            Run(flags.run).read_json("results", {}).get("random", 0.5)
        )  # a public BERT learned from as many of both
        probability = model.follows(flags.text, flags.then)
        print(f"it follows: {probability:.1%}; one who has not read them would say {1 - random_share:.1%}")
        return
    for number, predictions in enumerate(model.fill(flags.text, flags.count), 1):
        print_table([(f"[MASK] {number}", "probability"), *((word, f"{share:.1%}") for word, share in predictions)])


def ask_command(words: Sequence[str]) -> None:
    flags = parse_flags(AskFlags, words, "ask")
    tasks = {"sentiment": _ask_sentiment, "winograd": _ask_winograd, "qa": _ask_questions}
    if flags.task not in tasks:
        raise CaudexError(f"--task {flags.task} is unknown; choose {', '.join(tasks)}.")
    tasks[flags.task](_load_language_model(flags.run), " ".join(flags.source))


def import_command(words: Sequence[str]) -> None:
    from caudex import data
    from caudex.core.hardware import Hardware
    from caudex.core.run import Run
    from caudex.models.importing import import_public

    flags = parse_flags(ImportFlags, words, "import")
    folder = data.corpus_folder("minilm") if str(flags.folder) == "minilm" else flags.folder
    if not folder.is_dir():
        raise CaudexError(
            f"{folder} is no folder; give one with config.json, model.safetensors and a vocabulary, or minilm."
        )
    run = Run(create_run_folder(flags.run, "imported", Hardware()))
    with hold_run(run, True):
        for line in import_public(folder, run, flags.convert):
            print(line)
        print(run.path)


def search_command(words: Sequence[str]) -> None:
    flags = parse_flags(SearchFlags, words, "search")
    from caudex.models.passage_index import found_in

    rows = found_in(flags.texts, flags.query, flags.count, flags.by, flags.model, flags.column)
    if not rows:
        print(f"caudex: no word of {flags.query!r} stands in {flags.texts}; try --by meaning.", file=sys.stderr)
        return
    print_table([("", "document", "text"), *rows])


def read_documents(files: Sequence[str], run: Path) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Names and texts of the documents in these files, and (path, reason) of the skipped ones; in tables the text is in the column
    that the run learned from."""
    from caudex.core.run import Run
    from caudex.data.text.documents import open_documents

    texts: dict[str, str] = {}
    skipped = []
    for file in files:
        documents = open_documents(file, Run(run).settings()["settings"].get("text"))
        for number, piece in documents:
            location = documents.location(number)
            name = str(Path(file, location) if Path(file).is_dir() else Path(file).with_name(location))
            texts[name] = texts.get(name, "") + piece
        skipped += documents.skipped
    return list(texts), list(texts.values()), skipped


def _load_language_model(path: Path):
    from caudex.core.system import load
    from caudex.models.language_model import LanguageModel

    model = load(path)
    if not isinstance(model, LanguageModel):
        raise CaudexError(f"{path} holds no language model; train one with `caudex train gpt` or `caudex train bert`.")
    return model


# -- ask ---------------------------------------------------------------------------------------------------------


def _ask_sentiment(model, source: str) -> None:
    from caudex.models.prompting import SENTIMENTS, SHOWN, sentiment

    rows = _read_rows(source, ("text",)) or [{"text": source}]
    if not source:
        raise CaudexError(
            "say of which text, or give a .csv or .jsonl with the column text, and label where it is known."
        )
    positive, shots = sentiment(model, [row["text"] for row in rows])
    if shots < len(SHOWN):
        print(
            f"caudex: the context of {model.trunk.context:,} tokens holds {shots} examples of {len(SHOWN)}.",
            file=sys.stderr,
        )
    positive = positive.tolist()
    predictions = [SENTIMENTS[probability < 0.5] for probability in positive]
    print_table(
        [
            ("text", "sentiment", "positive"),
            *((r["text"][:60], s, f"{p:.1%}") for r, s, p in zip(rows[:20], predictions, positive)),
        ]
    )
    labels = [row.get("label") for row in rows]
    _print_accuracy([(label, label == prediction) for label, prediction in zip(labels, predictions)], 1 / 2)


def _ask_winograd(model, source: str) -> None:
    from caudex.models.prompting import SCHEMAS, Schema, winograd

    schemas = SCHEMAS
    if rows := _read_rows(source, ("sentence", "candidates")):
        schemas = []
        for row in rows:
            candidates = row["candidates"]
            candidates = tuple(candidates.split("|") if isinstance(candidates, str) else candidates)
            if row.get("answer") not in (None, *candidates):
                raise CaudexError(f"{source}: the answer {row['answer']!r} is not among {', '.join(candidates)}.")
            schemas.append(
                Schema(row["sentence"], candidates, candidates.index(row["answer"]) if row.get("answer") else None)
            )
    elif source:
        raise CaudexError(
            f"{source!r} is no .csv or .jsonl; give one with the columns sentence (with _ for the pronoun), candidates "
            "(a|b) and answer, or nothing for the packaged ones."
        )
    answers = winograd(model, schemas)
    table = [(s.sentence[:70], s.candidates[a.full], s.candidates[a.partial]) for s, a in zip(schemas, answers)]
    print_table([("sentence", "full", "partial"), *table[:20]])
    chance = sum(1 / len(s.candidates) for s in schemas) / len(schemas)
    for scoring in ("full", "partial"):
        print(f"{scoring}: ", end="")
        _print_accuracy([(s.answer, s.answer == getattr(a, scoring)) for s, a in zip(schemas, answers)], chance)


def _ask_questions(model, source: str) -> None:
    from caudex.models.prompting import ASKED, answer, right

    rows = _read_rows(source, ("question",)) or ([{"question": source}] if source else [])
    questions = [(row["question"], row.get("answer")) for row in rows] or list(ASKED)
    answers = [answer(model, question) for question, _ in questions]
    table = [(q[:50], a[:50], f"{p:.1%}") for (q, _), (a, p) in zip(questions, answers)]
    print_table([("question", "answer", "probability"), *table])
    pairs = [(label, prediction) for (_, label), (prediction, _) in zip(questions, answers)]
    _print_accuracy([(label, label is not None and right(prediction, label)) for label, prediction in pairs], None)


def _read_rows(source: str, columns: tuple[str, ...]) -> list[dict]:
    """The rows of a .csv or .jsonl with these columns; [] where `source` is no such file."""
    file = Path(source) if source else None
    if file is None or file.suffix not in (".csv", ".jsonl") or not file.is_file():
        return []
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        rows = list(csv.DictReader(lines)) if file.suffix == ".csv" else list(map(json.loads, lines))
    except ValueError as error:
        raise CaudexError(f"{file} is no .jsonl: {error}.") from None
    for row in rows[:1] or [{}]:
        for name in columns:
            if name not in row:
                names = ", ".join(map(str, row)) or "nothing"
                raise CaudexError(f"{file} has no column {name!r}; it has {names}. Needed: {', '.join(columns)}.")
    return rows


def _print_accuracy(answers: list[tuple], chance: float | None) -> None:
    """From (label, whether the prediction is right); those without a label do not count."""
    correct = [is_right for label, is_right in answers if label is not None]
    if correct:
        from caudex.evaluation.intervals import wilson_interval

        low, high = wilson_interval(sum(correct) / len(correct), len(correct))
        guess = f"; guessing has {chance:.0%}" if chance else ""
        print(f"{sum(correct)} of {len(correct)} right ({low:.0%} to {high:.0%}){guess}")
