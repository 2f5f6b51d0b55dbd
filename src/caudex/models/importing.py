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
from caudex.models.hf_layout import from_hf_config, load_hf_weights, read_hf_config, read_hf_weights

SYSTEMS = {"gpt2": "gpt", "bert": "bert"}
"""of each model_type"""


def load_hf_model(folder: Path, convert: bool = False):
    """(model_type, system, spec, model, signals without weights) of a public folder: config.json, safetensors,
    vocabulary. No code in it is run; with `convert`, weights may be pickled.

    Raises CaudexError for another architecture, pickled weights, tensors of another shape, another model's vocabulary.
    """
    config = read_hf_config(folder)
    model_type, trunk_config = from_hf_config(config, folder / "config.json")
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size > trunk_config["vocabulary"]:
        raise CaudexError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size:,} tokens, the model {trunk_config['vocabulary']:,}; it "
            "is the tokenizer of another model."
        )
    spec = TextSpec(trunk_config, tokenizer.config)
    system = make_system(model_type, folder, trunk_config)
    model, weights = system.model(spec), read_hf_weights(folder, convert)
    with torch.no_grad():
        missing_signals = load_hf_weights(model, model_type, weights, folder)
    if any(name in missing_signals for name in model.signals):
        spec = replace(spec, heads=tuple(name for name in model.signals if name not in missing_signals))
        model = system.model(spec)
        with torch.no_grad():
            load_hf_weights(model, model_type, weights, folder)
    return model_type, system, spec, model.eval(), missing_signals


def make_system(model_type: str, folder: Path, trunk_config: dict):
    """The system that trains such models."""
    sizes = {name: trunk_config[name] for name in ("context", "depth", "width", "heads")}
    return find_class("systems", SYSTEMS[model_type])(
        data=str(folder), tokenizer=str(folder), vocab_size=trunk_config["vocabulary"], rotary=False, **sizes
    )


def import_hf_model(folder: Path, run: Run, convert: bool = False) -> Iterator[str]:
    """Write the run; yields the lines to print."""
    model_type, system, spec, model, missing_signals = load_hf_model(folder, convert)
    write_settings(system, run)
    run.write_spec(spec)
    run.write_json("results", {})
    save_model(model, run)
    size = sum(parameter.numel() for parameter in model.parameters())
    yield f"{model_type} with {size:,} parameters, {spec.trunk['vocabulary']:,} tokens, context {spec.trunk['context']:,}"
    if missing_signals:
        yield f"without weights for: {', '.join(missing_signals)}"
