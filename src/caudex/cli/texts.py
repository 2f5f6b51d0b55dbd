"""Commands for texts: generate, fill masks, import a public model, search."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from caudex.cli.flags import flag_value, parse_flags, rename_from
from caudex.cli.terminal import create_run_folder, hold_run, print_table
from caudex.cli.text_flags import FillFlags, GenerateFlags, ImportFlags, SearchFlags
from caudex.core.errors import CaudexError
from caudex.core.typed_json import Share


def generate_command(words: Sequence[str]) -> None:
    flags = parse_flags(GenerateFlags, words, "generate")
    check_generate_flags(flags, words)
    model = load_language_model(flags.run, "next-token", "generate")
    prompt_ids = model.chat_ids(flags.prompt) if flags.chat else model.prompt_ids(flags.prompt)
    prompt, context = "" if flags.chat else flags.prompt, model.trunk.context
    if len(prompt_ids) > context:
        print(
            f"caudex: the prompt has {len(prompt_ids):,} tokens, the model sees {context:,}: it goes on from the last {context:,}.",
            file=sys.stderr,
        )
    if flags.beams:
        texts = [text for text, _ in model.search(prompt_ids, flags.max_tokens, flags.beams, flags.stop)]
        print_texts([prompt + text for text in texts[: flags.num]])
        return
    stream = model.generate(
        prompt_ids, flags.max_tokens, flags.temperature, flags.top_p, flags.num, flags.seed, flags.top_k, flags.stop
    )
    if flags.num == 1:  # as it comes
        print(prompt, end="", flush=True)
        for (text,) in stream:
            print(text, end="", flush=True)
        print()
        return
    print_texts([prompt + "".join(parts) for parts in zip(*stream)])


def check_generate_flags(flags: GenerateFlags, words: Sequence[str]) -> None:
    """Raises CaudexError for values out of range, and for flags that exclude each other."""
    from caudex.core.ranges import check_range
    from caudex.core.seeds import check_seed
    from caudex.models.text_stream import check_stop

    check_seed(flags.seed)
    check_range(flags, max_tokens=(1, 1 << 20), num=(1, 1024), temperature=(0, 100), top_p=(1e-6, 1))
    check_range(flags, top_k=(0, 1 << 26), beams=(0, 256))
    check_stop(flags.stop)
    for flag in ("--temperature", "--top-p", "--top-k", "--seed") if flags.beams else ():
        if flag_value(flag, words) is not None:
            raise CaudexError(
                f"--beams {flags.beams} searches and draws nothing, so {flag} has no meaning; leave one out."
            )
    if flags.beams and flags.num > flags.beams:
        raise CaudexError(f"--num {flags.num} is more than --beams {flags.beams} can find; give as many beams.")


def print_texts(texts: Sequence[str]) -> None:
    """One text as it is, several with their numbers."""
    for number, text in enumerate(texts, 1):
        print(text if len(texts) == 1 else f"--- {number}\n{text}")


NextSentenceShare = TypedDict("NextSentenceShare", {"random next": NotRequired[Share]})
"""of results.json: how many second passages did not follow the first"""


def fill_command(words: Sequence[str]) -> None:
    flags = parse_flags(FillFlags, words, "fill")
    if flags.then is not None:
        from caudex.core.run import Run

        model = load_language_model(flags.run, "next-sentence", "tell whether one passage follows another")
        results = Run(flags.run).read_checked("results", NextSentenceShare) or {}
        random_share = results.get("random next", 0.5)  # a public BERT saw as many of both
        probability = model.next_sentence_probability(flags.text, flags.then)
        print(f"it follows: {probability:.1%}; one who has not read them would say {1 - random_share:.1%}")
        return
    model = load_language_model(flags.run, "masked-token", "fill in")
    for number, candidates in enumerate(model.fill_mask(flags.text, flags.count), 1):
        header = (f"[MASK] {number}", "probability")
        print_table([header, *((token, f"{probability:.1%}") for token, probability in candidates)])


PACKAGED_MODELS = ("minilm", "smollm2")


def import_command(words: Sequence[str]) -> None:
    from caudex import data
    from caudex.core.hardware import Hardware
    from caudex.core.run import Run
    from caudex.models.adapters import has_adapter, import_adapter
    from caudex.models.importing import load_public_model, write_public_model

    flags = parse_flags(ImportFlags, rename_from(words), "import")
    name = str(flags.source)
    source = data.corpus_folder(name) if name in PACKAGED_MODELS and not flags.source.exists() else flags.source
    if not source.exists():
        raise CaudexError(
            f"{source} is neither a folder nor a file; give a folder with config.json, model.safetensors and a vocabulary, a "
            f"GGUF file, or {' or '.join(PACKAGED_MODELS)}."
        )
    if has_adapter(source) != (flags.start is not None):
        way_out = f"--from {flags.start} is for adapters alone; leave it out" if flags.start else "add --from RUN"
        holds = "no LoRA adapter" if flags.start else "a LoRA adapter, which changes the weights of another model"
        raise CaudexError(f"{source} holds {holds}; {way_out}.")
    run = Run(create_run_folder(flags.run, "imported", Hardware()))
    with hold_run(run, True):
        if flags.start:
            print(*import_adapter(source, flags.start, run), sep="\n")
        else:
            print(*write_public_model(load_public_model(source, flags.convert), run), sep="\n")
        print(run.path)


def search_command(words: Sequence[str]) -> None:
    flags = parse_flags(SearchFlags, words, "search")
    from caudex.models.passage_index import search_passages

    rows = search_passages(flags.texts, flags.query, flags.count, flags.by, flags.model, flags.column)
    if not rows:
        print(f"caudex: no word of {flags.query!r} stands in {flags.texts}; try --by meaning.", file=sys.stderr)
        return
    print_table([("", "document", "text"), *rows])


def load_language_model(path: Path, signal: str, purpose: str):
    """Raises CaudexError for a model that was not trained with the signal."""
    from caudex.core.system import load
    from caudex.models.language_model import LanguageModel

    model = load(path)
    if not isinstance(model, LanguageModel):
        raise CaudexError(f"{path} holds no language model; train one with `caudex train gpt` or `caudex train bert`.")
    model.require_signal(signal, purpose)
    return model
