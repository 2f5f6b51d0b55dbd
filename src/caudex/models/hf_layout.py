"""Public checkpoints of GPT-2 and BERT: their folders become models of ours, ours become folders that others open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.trunks import BERT_LAYOUT, GPT2_LAYOUT

NAMES = {
    "gpt2": {
        "trunk.token_embedding": "wte",
        "trunk.position_embedding": "wpe",
        "trunk.norm": "ln_f",
        "trunk.blocks.{}.norm1": "h.{}.ln_1",
        "trunk.blocks.{}.attention.qkv_proj": "h.{}.attn.c_attn",
        "trunk.blocks.{}.attention.out_proj": "h.{}.attn.c_proj",
        "trunk.blocks.{}.norm2": "h.{}.ln_2",
        "trunk.blocks.{}.up_proj": "h.{}.mlp.c_fc",
        "trunk.blocks.{}.down_proj": "h.{}.mlp.c_proj",
    },
    "bert": {
        "trunk.token_embedding": "embeddings.word_embeddings",
        "trunk.position_embedding": "embeddings.position_embeddings",
        "trunk.segment_embedding": "embeddings.token_type_embeddings",
        "trunk.norm": "embeddings.LayerNorm",
        "trunk.pooler": "pooler.dense",
        "trunk.blocks.{}.norm1": "encoder.layer.{}.attention.output.LayerNorm",
        "trunk.blocks.{}.attention.qkv_proj": "encoder.layer.{}.attention.self.query+key+value",
        "trunk.blocks.{}.attention.out_proj": "encoder.layer.{}.attention.output.dense",
        "trunk.blocks.{}.norm2": "encoder.layer.{}.output.LayerNorm",
        "trunk.blocks.{}.up_proj": "encoder.layer.{}.intermediate.dense",
        "trunk.blocks.{}.down_proj": "encoder.layer.{}.output.dense",
        "signals.masked-token.dense": "cls.predictions.transform.dense",
        "signals.masked-token.norm": "cls.predictions.transform.LayerNorm",
        "signals.masked-token": "cls.predictions",  # the bias of each word
        "signals.next-sentence.head": "cls.seq_relationship",
    },
}
"""our modules, theirs; a + joins what is one matrix here"""
BODY = {"gpt2": "transformer.", "bert": "bert."}
"""what stands before the names of their trunk where a head is saved with it"""
FREE = {"scale_attn_by_inverse_layer_idx": False, "reorder_and_upcast_attn": False, "add_cross_attention": False}
"""further settings of theirs that must be so"""


def layout(config: Mapping, where: Path) -> tuple[str, dict]:
    """Their config.json to the kind, gpt2 or bert, and the settings of our `Transformer`.

    Raises CaudexError for another architecture, or a setting that ours does not have.
    """
    kind = config.get("model_type")
    if kind not in NAMES:
        raise CaudexError(f"{where} is a model of type {kind!r}; gpt2 and bert can be imported.")
    act = config.get("activation_function" if kind == "gpt2" else "hidden_act")
    gelu = {"gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu": "none"}.get(act)
    unlike = {"activation": act} if gelu is None else {}
    unlike |= {name: config[name] for name, value in FREE.items() if config.get(name, value) != value}
    if config.get("position_embedding_type", "absolute") != "absolute":
        unlike["position_embedding_type"] = config["position_embedding_type"]
    if unlike:
        name, value = next(iter(unlike.items()))
        raise CaudexError(f"{where} has {name} {value!r}, which this program has not; it cannot be imported.")
    try:
        if kind == "gpt2":
            sizes = [config[name] for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")]
            hidden, eps, further = config.get("n_inner"), config["layer_norm_epsilon"], GPT2_LAYOUT
        else:
            names = (
                "vocab_size",
                "max_position_embeddings",
                "hidden_size",
                "num_hidden_layers",
                "num_attention_heads",
            )
            sizes = [config[name] for name in names]
            hidden, eps = config["intermediate_size"], config["layer_norm_eps"]
            further = BERT_LAYOUT | {"segments": config["type_vocab_size"]}
    except KeyError as missing:
        raise CaudexError(f"{where} lacks {missing.args[0]!r}; it is no whole config.json of {kind}.") from None
    named = dict(zip(("vocabulary", "context", "width", "depth", "heads"), sizes))
    return kind, further | named | {"hidden": hidden or 4 * named["width"], "eps": eps, "gelu_approximate": gelu}


def pairs(kind: str, depth: int) -> Iterator[tuple[str, list[str], bool]]:
    """(our tensor, theirs that make it one below the other, whether theirs lies on its side) for every weight."""
    for own, theirs in NAMES[kind].items():
        for i in range(depth) if "{}" in own else [None]:
            ours, (stem, *more) = own.format(i), theirs.format(i).split("+")
            parts = [stem, *(f"{stem.rpartition('.')[0]}.{name}" for name in more)]
            for what in ("weight", "bias"):
                sideways = kind == "gpt2" and what == "weight" and "c_" in theirs
                yield f"{ours}.{what}", [f"{part}.{what}" for part in parts], sideways


def imported(model: nn.Module, kind: str, weights: Mapping[str, Tensor], where: Path) -> list[str]:
    """Put their weights into our model; returns which of our signals have none there, and so stay as they are.

    Raises CaudexError that names the tensor which is missing or of another shape.
    """
    body = BODY[kind] if any(name.startswith(BODY[kind]) for name in weights) else ""
    state, without = model.state_dict(), set()
    for own, names, sideways in pairs(kind, len(model.trunk.blocks)):
        if own not in state:
            continue
        head = own.startswith("signals.")
        names = names if head else [body + name for name in names]
        if missing := [name for name in names if name not in weights]:
            if head or own.startswith("trunk.pooler"):
                without.add(own.split(".")[1])
                continue
            raise CaudexError(f"{where} has no tensor {missing[0]}; its weights are not of a {kind}.")
        found = torch.cat([weights[name] for name in names])
        found = found.T if sideways else found
        if found.shape != state[own].shape:
            raise CaudexError(
                f"{where}: the tensor {names[0]} has shape {tuple(found.shape)}, by its config.json it should have "
                f"{tuple(state[own].shape)}."
            )
        state[own].copy_(found)
    return sorted(without)


def exported(model: nn.Module, kind: str) -> dict[str, Tensor]:
    """Our weights under their names."""
    state, weights = model.state_dict(), {}
    for own, names, sideways in pairs(kind, len(model.trunk.blocks)):
        if own in state:
            found = state[own].T if sideways else state[own]
            body = "" if own.startswith("signals.") else BODY[kind]
            for name, part in zip(names, found.chunk(len(names))):
                weights[body + name] = part.contiguous()
    return weights


def config_of(kind: str, trunk: nn.Module, made: Mapping) -> dict:
    """config.json for a trunk that was made with these settings."""
    hidden, act = made.get("hidden") or 4 * trunk.width, {"tanh": "gelu_new", "none": "gelu"}[made["gelu_approximate"]]
    if kind == "gpt2":
        return {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "vocab_size": made["vocabulary"],
            "n_positions": made["context"],
            "n_embd": made["width"],
            "n_layer": made["depth"],
            "n_head": made["heads"],
            "n_inner": hidden,
            "layer_norm_epsilon": made["eps"],
            "activation_function": act,
        }
    return {
        "model_type": "bert",
        "architectures": ["BertForPreTraining"],
        "vocab_size": made["vocabulary"],
        "max_position_embeddings": made["context"],
        "hidden_size": made["width"],
        "num_hidden_layers": made["depth"],
        "num_attention_heads": made["heads"],
        "intermediate_size": hidden,
        "type_vocab_size": made["segments"],
        "layer_norm_eps": made["eps"],
        "hidden_act": act,
    }


def weights_of(folder: Path, convert: bool = False) -> dict[str, Tensor]:
    """Every tensor of the folder's safetensors; with `convert` of its pickled .bin, from which tensors alone are read.

    Raises CaudexError where there are only pickled ones and `convert` is not asked for, or what is no tensor in them.
    """
    from safetensors.torch import load

    files, pickled = (sorted(folder.glob(ending)) for ending in ("*.safetensors", "*.bin"))
    if not files and not convert and pickled:
        raise CaudexError(
            f"{pickled[0]} is pickled, and a pickle can hold code; with --convert its tensors alone are read, and nothing in it is run."
        )
    if not files and not pickled:
        raise CaudexError(f"{folder} holds no model.safetensors; give the folder of a public GPT-2 or BERT.")
    weights: dict[str, Tensor] = {}
    for file in files or pickled:
        try:
            found = load(file.read_bytes()) if files else torch.load(file, "cpu", weights_only=True)
            weights |= {named_today(name): tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}
        except Exception as error:  # torch and safetensors raise nearly every kind
            reason = str(error).partition(". ")[0].partition("\n")[0]
            raise CaudexError(f"{file} is damaged, or holds more than tensors ({reason}); fetch it again.") from None
    return weights


def named_today(name: str) -> str:
    """The first BERTs, those that most people fetch, call a normalisation's weight gamma and its bias beta."""
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))


def config_in(folder: Path) -> dict:
    """The folder's config.json."""
    file = folder / "config.json"
    if not file.is_file():
        raise CaudexError(f"{folder} holds no config.json; give the folder of a public GPT-2 or BERT.")
    try:
        return dict(json.loads(file.read_text()))
    except (ValueError, TypeError):
        raise CaudexError(f"{file} is no JSON object; fetch it again.") from None
