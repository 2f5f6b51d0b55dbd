"""A folder with a public GPT-2 or BERT becomes a run like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from msgspec.structs import replace

from caudex.core.errors import CaudexError
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.core.system import save_model, write_settings
from caudex.data import Tokenizer
from caudex.models import hf_layout as public

SYSTEMS = {"gpt2": "gpt", "bert": "bert"}


def model_of(folder: Path, convert: bool = False):
    """(layout, system, spec, model, what it has no weights for) of a public folder: config.json, safetensors, vocabulary. No code
    in it is run; with `convert`, weights may be pickled.

    Raises CaudexError for another architecture, pickled weights, tensors of another shape, another model's vocabulary.
    """
    config = public.config_in(folder)
    kind, made = public.layout(config, folder / "config.json")
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size > made["vocabulary"]:
        raise CaudexError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size:,} tokens, the model {made['vocabulary']:,}; it is the "
            "tokenizer of another model."
        )
    spec = TextSpec(made, tokenizer.config)
    system = system_of(kind, folder, made)
    model, weights = system.model(spec), public.weights_of(folder, convert)
    with torch.no_grad():
        lacking = public.imported(model, kind, weights, folder)
    if heads := [name for name in model.signals if name in lacking]:
        spec = replace(spec, heads=tuple(name for name in model.signals if name not in heads))
        model = system.model(spec)
        with torch.no_grad():
            public.imported(model, kind, weights, folder)
    return kind, system, spec, model.eval(), lacking


def system_of(kind: str, folder: Path, made: dict):
    sizes = {name: made[name] for name in ("context", "depth", "width", "heads")}
    return find_class("systems", SYSTEMS[kind])(
        data=str(folder), tokenizer=str(folder), vocab_size=made["vocabulary"], rotary=False, **sizes
    )


def import_public(folder: Path, run: Run, convert: bool = False) -> Iterator[str]:
    """Write the run; what there is to say, line by line."""
    kind, system, spec, model, lacking = model_of(folder, convert)
    write_settings(system, run)
    run.write_spec(spec)
    run.write_json("results", {})
    save_model(model, run)
    size = sum(parameter.numel() for parameter in model.parameters())
    yield f"{kind} with {size:,} parameters, {spec.trunk['vocabulary']:,} tokens, context {spec.trunk['context']:,}"
    if lacking:
        yield f"without weights for: {', '.join(lacking)}"
