"""A public language model, in a folder or a GGUF file, becomes a run like any other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.gguf_header import find_gguf
from caudex.core.hardware import available_memory
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.core.system import System, save_model, write_settings
from caudex.core.weights import parameter_limit
from caudex.data import Tokenizer
from caudex.data.text.tokenizer_files import parse_tokenizer
from caudex.models.chat_template import read_chat_template
from caudex.models.gguf_file import read_gguf
from caudex.models.hf_config import PublicConfig, check_sentence_encoder, parse_hf_config, read_hf_config
from caudex.models.hf_layout import UnprefixedWeights, check_weights, is_tied, load_hf_weights
from caudex.models.hf_weights import read_hf_weights
from caudex.models.language_model import LanguageModel

BYTES_PER_WEIGHT = 16
"""of memory, at most: the model in float32, and the copies that are written"""


class PublicModel(NamedTuple):
    """A public model as one of ours, and what of it is missing."""

    model_type: str
    system: System
    spec: TextSpec
    model: LanguageModel
    missing_signals: list[str]
    """of ours, for which there are no weights"""
    other_heads: list[str]
    """of theirs, which we do not have"""


def load_public_model(path: Path, convert: bool = False) -> PublicModel:
    """From a GGUF file, or a folder with one; else as `load_hf_model`."""
    file = find_gguf(path)
    return load_hf_model(path, convert) if file is None else load_gguf_model(file)


def load_gguf_model(file: Path) -> PublicModel:
    """Raises CaudexError as `load_hf_model`. Quantised weights are multiplied out, tensor by tensor."""
    gguf = read_gguf(file)
    config = parse_hf_config(gguf.config, file)
    tokenizer = Tokenizer(parse_tokenizer(gguf.tokenizer, file))
    check_tokenizer_fits(tokenizer, config, file)
    num_weights = sum(math.prod(gguf.weights.shape(name)) for name in gguf.weights)
    return build_public_model(config, tokenizer, gguf.weights, num_weights, file, gguf.chat_template)


def load_hf_model(folder: Path, convert: bool = False) -> PublicModel:
    """From config.json, safetensors and a vocabulary. No code in the folder is run; with `convert`, weights may be pickled.

    Raises CaudexError for what would be another function: another architecture, a field that we do not compute, tensors of
    another shape, another model's vocabulary. Nothing is built before the sizes in config.json are those of the tensors.
    """
    config = read_hf_config(folder)
    check_sentence_encoder(folder)
    tokenizer = Tokenizer.load(folder)
    check_tokenizer_fits(tokenizer, config, folder)
    weights = read_hf_weights(folder, convert)
    num_weights = sum(tensor.numel() for tensor in weights.values())
    return build_public_model(config, tokenizer, weights, num_weights, folder, read_chat_template(folder))


def check_tokenizer_fits(tokenizer: Tokenizer, config: PublicConfig, source: Path) -> None:
    vocabulary = config.trunk()["vocabulary"]
    if tokenizer.vocab_size > vocabulary:
        raise CaudexError(
            f"{source}: the vocabulary has {tokenizer.vocab_size:,} tokens, the model {vocabulary:,}; it is the tokenizer of another model."
        )
    if config.model_type == "bert":
        for name in ("cls", "sep", "mask"):
            if getattr(tokenizer, f"{name}_token_id") is None:
                raise CaudexError(
                    f"{source}: the vocabulary has no [{name.upper()}], and a BERT has; it is of another model."
                )


def build_public_model(
    config: PublicConfig,
    tokenizer: Tokenizer,
    weights: Mapping[str, Tensor],
    num_weights: int,
    source: Path,
    chat_template: str = "",
) -> PublicModel:
    """From what was read of `source`; weights by the names of transformers. Raises CaudexError for tensors that do not fit, and
    for more than the memory holds."""
    needed, free = BYTES_PER_WEIGHT * num_weights, available_memory()
    if needed > free:
        raise CaudexError(
            f"{source} has {num_weights:,} weights, and {needed / 2**30:,.1f} GiB of memory to import them are not free, only "
            f"{free / 2**30:,.1f}; take a smaller model, or a machine with more memory."
        )
    weights = UnprefixedWeights(config.model_type, config.translate(weights))
    other_heads = check_weights(config, weights, source)
    ends = config.eos_token_id if isinstance(config.eos_token_id, tuple) else (config.eos_token_id,)
    ends = tuple(token for token in ends if token is not None and 0 <= token < tokenizer.vocab_size)
    tied = is_tied(config, weights)
    spec = TextSpec(config.trunk(), tokenizer.config, tied=tied, eos_token_ids=ends, chat_template=chat_template)
    system = make_system(config.model_type, source, spec.trunk)
    with parameter_limit(num_weights, source, "the sizes in its configuration"):
        model = system.model(spec)
    missing_signals = load_hf_weights(model, config, weights, source)
    if any(name in missing_signals for name in model.signals):
        spec = replace(spec, heads=tuple(name for name in model.signals if name not in missing_signals))
        model = system.model(spec)
        load_hf_weights(model, config, weights, source)
    return PublicModel(config.model_type, system, spec, model.eval(), missing_signals, other_heads)


def make_system(model_type: str, folder: Path, trunk_config: dict):
    """The system that trains such models."""
    sizes = {name: trunk_config[name] for name in ("context", "depth", "width", "heads")}
    return find_class("systems", "bert" if model_type == "bert" else "gpt")(
        data=str(folder),
        tokenizer=str(folder),
        vocab_size=trunk_config["vocabulary"],
        rotary=trunk_config.get("rotary", False),
        **sizes,
    )


def write_public_model(public: PublicModel, run: Run) -> Iterator[str]:
    """Write it as a run; yields the lines to print."""
    model_type, system, spec, model, missing_signals, other_heads = public
    write_settings(system, run)
    run.write_spec(spec)
    run.write_json("results", {})
    save_model(model, run)
    size = sum(parameter.numel() for parameter in model.parameters())
    yield f"{model_type} with {size:,} parameters, {spec.trunk['vocabulary']:,} tokens, context {spec.trunk['context']:,}"
    if missing_signals:
        yield f"without weights for: {', '.join(missing_signals)}"
    if other_heads:
        yield f"left out, heads of other tasks: {', '.join(other_heads)}"
