"""A folder with a public GPT-2 or BERT becomes a run like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from caudex.core.errors import CaudexError
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.system import finish, start
from caudex.data import Tokenizer
from caudex.models import hf_layout as public

SYSTEMS = {"gpt2": "gpt", "bert": "bert"}


def model_of(folder: Path, convert: bool = False):
    """(system, facts, model, what it has no weights for) of a public folder: config.json, safetensors, vocabulary. No code
    in it is run; with `convert`, weights may be pickled.

    Raises CaudexError for another architecture, pickled weights, tensors of another shape, another model's vocabulary.
    """
    config = public.config_in(folder)
    kind, made = public.layout(config, folder / "config.json")
    tokenizer = Tokenizer.load(folder)
    if tokenizer.size > made["vocabulary"]:
        raise CaudexError(
            f"{folder}: the vocabulary has {tokenizer.size:,} tokens, the model {made['vocabulary']:,}; it is the "
            "tokenizer of another model."
        )
    facts = {"trunk": made, "tokenizer": tokenizer.description, "unigram": None, "kind": kind}
    system = system_of(kind, folder, made)
    model, weights = system.model(facts), public.weights_of(folder, convert)
    with torch.no_grad():
        lacking = public.imported(model, kind, weights, folder)
    if heads := [name for name in model.signals if name in lacking]:
        facts["heads"] = [name for name in model.signals if name not in heads]
        model = system.model(facts)
        with torch.no_grad():
            public.imported(model, kind, weights, folder)
    return system, facts, model.eval(), lacking


def system_of(kind: str, folder: Path, made: dict):
    sizes = {name: made[name] for name in ("context", "depth", "width", "heads")}
    return find_class("systems", SYSTEMS[kind])(
        data=str(folder), tokens=str(folder), vocabulary=made["vocabulary"], rotary=False, **sizes
    )


def import_public(folder: Path, run: Run, convert: bool = False) -> Iterator[str]:
    """Write the run; what there is to say, line by line."""
    system, facts, model, lacking = model_of(folder, convert)
    start(system, run)
    run.write_json("facts", facts)
    run.write_json("results", {})
    finish(model, run)
    size = sum(parameter.numel() for parameter in model.parameters())
    yield f"{facts['kind']} with {size:,} parameters, {facts['trunk']['vocabulary']:,} tokens, context {facts['trunk']['context']:,}"
    if lacking:
        yield f"without weights for: {', '.join(lacking)}"
