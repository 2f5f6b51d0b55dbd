"""A folder with a public GPT-2 or BERT becomes a run like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from caudex.core.errors import CaudexError
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.core.system import System, save_model, write_settings
from caudex.data import Tokenizer
from caudex.models.hf_config import check_sentence_encoder, read_hf_config
from caudex.models.hf_layout import check_weights, is_tied, load_hf_weights, read_names
from caudex.models.hf_weights import read_hf_weights
from caudex.models.language_model import LanguageModel

SYSTEMS = {"gpt2": "gpt", "bert": "bert"}
"""of each model_type"""


class PublicModel(NamedTuple):
    """A public folder as a model of ours, and what of the folder it lacks."""

    system: System
    spec: TextSpec
    model: LanguageModel
    missing_signals: list[str]
    """of ours, for which the folder has no weights"""
    other_heads: list[str]
    """of the folder, which we do not have"""


def load_hf_model(folder: Path, convert: bool = False) -> PublicModel:
    """From config.json, safetensors and a vocabulary. No code in the folder is run; with `convert`, weights may be pickled.

    Raises CaudexError for what would be another function: another architecture, a field that we do not compute, tensors of
    another shape, another model's vocabulary. Nothing is built before the sizes in config.json are those of the tensors.
    """
    config = read_hf_config(folder)
    check_sentence_encoder(folder)
    tokenizer, trunk_config = Tokenizer.load(folder), config.trunk()
    if tokenizer.vocab_size > trunk_config["vocabulary"]:
        raise CaudexError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size:,} tokens, the model {trunk_config['vocabulary']:,}; it "
            "is the tokenizer of another model."
        )
    if config.model_type == "bert":
        for name in ("cls", "sep", "mask"):
            if getattr(tokenizer, f"{name}_token_id") is None:
                raise CaudexError(
                    f"{folder}: the vocabulary has no [{name.upper()}], and a BERT has; it is of another model."
                )
    weights = read_names(config, read_hf_weights(folder, convert))
    other_heads = check_weights(config, weights, folder)
    ends = config.eos_token_id if isinstance(config.eos_token_id, tuple) else (config.eos_token_id,)
    ends = tuple(token for token in ends if token is not None and 0 <= token < tokenizer.vocab_size)
    spec = TextSpec(trunk_config, tokenizer.config, tied=is_tied(config, weights), eos_token_ids=ends)
    system = make_system(config.model_type, folder, trunk_config)
    model = system.model(spec)
    missing_signals = load_hf_weights(model, config, weights, folder)
    if any(name in missing_signals for name in model.signals):
        spec = replace(spec, heads=tuple(name for name in model.signals if name not in missing_signals))
        model = system.model(spec)
        load_hf_weights(model, config, weights, folder)
    return PublicModel(system, spec, model.eval(), missing_signals, other_heads)


def make_system(model_type: str, folder: Path, trunk_config: dict):
    """The system that trains such models."""
    sizes = {name: trunk_config[name] for name in ("context", "depth", "width", "heads")}
    return find_class("systems", SYSTEMS[model_type])(
        data=str(folder), tokenizer=str(folder), vocab_size=trunk_config["vocabulary"], rotary=False, **sizes
    )


def import_hf_model(folder: Path, run: Run, convert: bool = False) -> Iterator[str]:
    """Write the run; yields the lines to print."""
    system, spec, model, missing_signals, other_heads = load_hf_model(folder, convert)
    write_settings(system, run)
    run.write_spec(spec)
    run.write_json("results", {})
    save_model(model, run)
    size = sum(parameter.numel() for parameter in model.parameters())
    kind = "gpt2" if model.trunk.causal else "bert"
    yield f"{kind} with {size:,} parameters, {spec.trunk['vocabulary']:,} tokens, context {spec.trunk['context']:,}"
    if missing_signals:
        yield f"without weights for: {', '.join(missing_signals)}"
    if other_heads:
        yield f"left out, heads of other tasks: {', '.join(other_heads)}"
