"""Commands for texts: go on with one, fill in, ask, bring a public model in, search."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from caudex.cli.commands import Ask, Fill, Generate, Import, Search
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import create_run_folder, hold_run, print_table
from caudex.core.errors import CaudexError


def generate_command(words: Sequence[str]) -> None:
    flags = parse_flags(Generate, words, "generate")
    limits = {"--max-tokens": (flags.max_tokens, 1, 1 << 20), "--num": (flags.num, 1, 1024)}
    limits |= {"--temperature": (flags.temperature, 0, 100), "--top-p": (flags.top_p, 1e-6, 1)}
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise CaudexError(f"{name} {value:g} is out of range; it must be between {low:g} and {high:g}.")
    model = _model(flags.run)
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
        for (part,) in model.generate(*settings):
            print(part, end="", flush=True)
        print()
        return
    texts = [flags.prompt] * flags.num
    for parts in model.generate(*settings):
        texts = [text + part for text, part in zip(texts, parts)]
    for number, text in enumerate(texts, 1):
        print(f"--- {number}\n{text}")


def fill_command(words: Sequence[str]) -> None:
    flags = parse_flags(Fill, words, "fill")
    model = _model(flags.run)
    if flags.then is not None:
        from caudex.core.run import Run

        random = Run(flags.run).read_json("results", {}).get("random", 0.5)  # a public BERT saw as many of both
        told = model.follows(flags.text, flags.then)
        print(f"it follows: {told:.1%}; one who has not read them would say {1 - random:.1%}")
        return
    for number, told in enumerate(model.fill(flags.text, flags.count), 1):
        print_table([(f"[MASK] {number}", "probability"), *((word, f"{share:.1%}") for word, share in told)])


def ask_command(words: Sequence[str]) -> None:
    flags = parse_flags(Ask, words, "ask")
    tasks = {"sentiment": _sentiment, "winograd": _winograd, "qa": _questions}
    if flags.task not in tasks:
        raise CaudexError(f"--task {flags.task} is unknown; choose {', '.join(tasks)}.")
    tasks[flags.task](_model(flags.run), " ".join(flags.source))


def import_command(words: Sequence[str]) -> None:
    from caudex import data
    from caudex.core.hardware import Hardware
    from caudex.core.run import Run
    from caudex.models.importing import import_public

    flags = parse_flags(Import, words, "import")
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
    flags = parse_flags(Search, words, "search")
    from caudex.models.passage_index import found_in

    rows = found_in(flags.texts, flags.query, flags.count, flags.by, flags.model, flags.column)
    if not rows:
        print(f"caudex: no word of {flags.query!r} stands in {flags.texts}; try --by meaning.", file=sys.stderr)
        return
    print_table([("", "document", "text"), *rows])


def read_documents(files: Sequence[str], run: Path) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Names and texts of the documents in these files, and (path, reason) of what was left out; the column of tables is
    that which the run learned from."""
    from caudex.core.run import Run
    from caudex.data.text.documents import open_documents

    found: dict[str, str] = {}
    skipped = []
    for file in files:
        there = open_documents(file, Run(run).settings()["settings"].get("text"))
        for number, piece in there:
            name = (
                str(Path(file, there.location(number)))
                if Path(file).is_dir()
                else str(Path(file).with_name(there.location(number)))
            )
            found[name] = found.get(name, "") + piece
        skipped += there.skipped
    return list(found), list(found.values()), skipped


def _model(path: Path):
    from caudex.core.system import load
    from caudex.models.language_model import LanguageModel

    model = load(path)
    if not isinstance(model, LanguageModel):
        raise CaudexError(f"{path} holds no language model; train one with `caudex train gpt` or `caudex train bert`.")
    return model


# -- what is asked -----------------------------------------------------------------------------------------------


def _sentiment(model, what: str) -> None:
    from caudex.models.prompting import SENTIMENTS, SHOWN, sentiment

    rows = _rows(what, ("text",)) or [{"text": what}]
    if not what:
        raise CaudexError(
            "say of which text, or give a .csv or .jsonl with the column text, and label where it is known."
        )
    told, shots = sentiment(model, [row["text"] for row in rows])
    if shots < len(SHOWN):
        print(
            f"caudex: the context of {model.trunk.context:,} tokens holds {shots} examples of {len(SHOWN)}.",
            file=sys.stderr,
        )
    told = told.tolist()
    said = [SENTIMENTS[share < 0.5] for share in told]
    print_table(
        [
            ("text", "sentiment", "positive"),
            *((r["text"][:60], s, f"{p:.1%}") for r, s, p in zip(rows[:20], said, told)),
        ]
    )
    _score([(row.get("label"), row.get("label") == each) for row, each in zip(rows, said)], 1 / 2)


def _winograd(model, what: str) -> None:
    from caudex.models.prompting import SCHEMAS, Schema, winograd

    schemas = SCHEMAS
    if found := _rows(what, ("sentence", "candidates")):
        schemas = []
        for row in found:
            candidates = row["candidates"]
            candidates = tuple(candidates.split("|") if isinstance(candidates, str) else candidates)
            if row.get("answer") not in (None, *candidates):
                raise CaudexError(f"{what}: the answer {row['answer']!r} is not among {', '.join(candidates)}.")
            schemas.append(
                Schema(row["sentence"], candidates, candidates.index(row["answer"]) if row.get("answer") else None)
            )
    elif what:
        raise CaudexError(
            f"{what!r} is no .csv or .jsonl; give one with the columns sentence (with _ for the pronoun), candidates "
            "(a|b) and answer, or nothing for the packaged ones."
        )
    told = winograd(model, schemas)
    rows = [(s.sentence[:70], s.candidates[t.full], s.candidates[t.partial]) for s, t in zip(schemas, told)]
    print_table([("sentence", "full", "partial"), *rows[:20]])
    chance = sum(1 / len(s.candidates) for s in schemas) / len(schemas)
    for way in ("full", "partial"):
        print(f"{way}: ", end="")
        _score([(s.answer, s.answer == getattr(t, way)) for s, t in zip(schemas, told)], chance)


def _questions(model, what: str) -> None:
    from caudex.models.prompting import ASKED, answer, right

    rows = _rows(what, ("question",)) or ([{"question": what}] if what else [])
    asked = [(row["question"], row.get("answer")) for row in rows] or list(ASKED)
    told = [answer(model, question) for question, _ in asked]
    print_table(
        [("question", "answer", "probability"), *((q[:50], a[:50], f"{p:.1%}") for (q, _), (a, p) in zip(asked, told))]
    )
    _score([(truth, truth is not None and right(said, truth)) for (_, truth), (said, _) in zip(asked, told)], None)


def _rows(what: str, needed: tuple[str, ...]) -> list[dict]:
    """The rows of a .csv or .jsonl; nothing where `what` is no such file."""
    file = Path(what) if what else None
    if file is None or file.suffix not in (".csv", ".jsonl") or not file.is_file():
        return []
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        rows = list(csv.DictReader(lines)) if file.suffix == ".csv" else list(map(json.loads, lines))
    except ValueError as error:
        raise CaudexError(f"{file} is no .jsonl: {error}.") from None
    for row in rows[:1] or [{}]:
        for name in needed:
            if name not in row:
                has = ", ".join(map(str, row)) or "nothing"
                raise CaudexError(f"{file} has no column {name!r}; it has {has}. Needed: {', '.join(needed)}.")
    return rows


def _score(told: list[tuple], chance: float | None) -> None:
    known = [is_right for truth, is_right in told if truth is not None]
    if known:
        from caudex.evaluation.intervals import wilson_interval

        low, high = wilson_interval(sum(known) / len(known), len(known))
        guess = f"; guessing has {chance:.0%}" if chance else ""
        print(f"{sum(known)} of {len(known)} right ({low:.0%} to {high:.0%}){guess}")
