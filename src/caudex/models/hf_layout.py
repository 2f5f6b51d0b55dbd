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

WEIGHT_NAMES = {
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
"""our modules and those of transformers; a + joins what is one matrix in ours"""
BASE_MODEL_PREFIXES = {"gpt2": "transformer.", "bert": "bert."}
"""of the trunk's tensors, where a head is saved with it"""
REQUIRED_SETTINGS = {
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
}
"""the only value that can be imported"""


def from_hf_config(config: Mapping, path: Path) -> tuple[str, dict]:
    """A config.json of transformers to its model_type, gpt2 or bert, and the arguments of our `Transformer`.

    Raises CaudexError for another architecture, or a setting that ours does not have.
    """
    model_type = config.get("model_type")
    if model_type not in WEIGHT_NAMES:
        raise CaudexError(f"{path} is a model of type {model_type!r}; gpt2 and bert can be imported.")
    act = config.get("activation_function" if model_type == "gpt2" else "hidden_act")
    gelu = {"gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu": "none"}.get(act)
    unsupported = {"activation": act} if gelu is None else {}
    unsupported |= {name: config[name] for name, only in REQUIRED_SETTINGS.items() if config.get(name, only) != only}
    if config.get("position_embedding_type", "absolute") != "absolute":
        unsupported["position_embedding_type"] = config["position_embedding_type"]
    if unsupported:
        name, setting = next(iter(unsupported.items()))
        raise CaudexError(f"{path} has {name} {setting!r}, which this program has not; it cannot be imported.")
    try:
        if model_type == "gpt2":
            sizes = [config[name] for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")]
            hidden, eps, layout = config.get("n_inner"), config["layer_norm_epsilon"], GPT2_LAYOUT
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
            layout = BERT_LAYOUT | {"segments": config["type_vocab_size"]}
    except KeyError as missing:
        raise CaudexError(f"{path} lacks {missing.args[0]!r}; it is no whole config.json of {model_type}.") from None
    arguments = dict(zip(("vocabulary", "context", "width", "depth", "heads"), sizes))
    arguments |= {"hidden": hidden or 4 * arguments["width"], "eps": eps, "gelu_approximate": gelu}
    return model_type, layout | arguments


def weight_names(model_type: str, depth: int) -> Iterator[tuple[str, list[str], bool]]:
    """(our tensor, theirs whose concatenation it is, whether theirs is transposed) for every weight."""
    for our_module, hf_modules in WEIGHT_NAMES[model_type].items():
        for i in range(depth) if "{}" in our_module else [None]:
            ours, (stem, *others) = our_module.format(i), hf_modules.format(i).split("+")
            parts = [stem, *(f"{stem.rpartition('.')[0]}.{name}" for name in others)]
            for kind in ("weight", "bias"):
                is_transposed = model_type == "gpt2" and kind == "weight" and "c_" in hf_modules
                yield f"{ours}.{kind}", [f"{part}.{kind}" for part in parts], is_transposed


def load_hf_weights(model: nn.Module, model_type: str, weights: Mapping[str, Tensor], path: Path) -> list[str]:
    """Load weights of transformers into our model; returns those of our signals that lack weights and are unchanged.

    Raises CaudexError that names the tensor which is missing or of another shape.
    """
    prefix = BASE_MODEL_PREFIXES[model_type]
    prefix = prefix if any(name.startswith(prefix) for name in weights) else ""
    state, missing_signals = model.state_dict(), set()
    for ours, names, is_transposed in weight_names(model_type, len(model.trunk.blocks)):
        if ours not in state:
            continue
        is_head = ours.startswith("signals.")
        names = names if is_head else [prefix + name for name in names]
        if missing := [name for name in names if name not in weights]:
            if is_head or ours.startswith("trunk.pooler"):
                missing_signals.add(ours.split(".")[1])
                continue
            raise CaudexError(f"{path} has no tensor {missing[0]}; its weights are not of a {model_type}.")
        tensor = torch.cat([weights[name] for name in names])
        tensor = tensor.T if is_transposed else tensor
        if tensor.shape != state[ours].shape:
            raise CaudexError(
                f"{path}: the tensor {names[0]} has shape {tuple(tensor.shape)}, by its config.json it should have "
                f"{tuple(state[ours].shape)}."
            )
        state[ours].copy_(tensor)
    return sorted(missing_signals)


def to_hf_weights(model: nn.Module, model_type: str) -> dict[str, Tensor]:
    """The weights of our model by the names of transformers."""
    state, weights = model.state_dict(), {}
    for ours, names, is_transposed in weight_names(model_type, len(model.trunk.blocks)):
        if ours in state:
            tensor = state[ours].T if is_transposed else state[ours]
            prefix = "" if ours.startswith("signals.") else BASE_MODEL_PREFIXES[model_type]
            for name, part in zip(names, tensor.chunk(len(names))):
                weights[prefix + name] = part.contiguous()
    return weights


def to_hf_config(model_type: str, trunk: nn.Module, trunk_config: Mapping) -> dict:
    """config.json of transformers for a trunk with these arguments."""
    hidden = trunk_config.get("hidden") or 4 * trunk.width
    act = {"tanh": "gelu_new", "none": "gelu"}[trunk_config["gelu_approximate"]]
    if model_type == "gpt2":
        return {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "vocab_size": trunk_config["vocabulary"],
            "n_positions": trunk_config["context"],
            "n_embd": trunk_config["width"],
            "n_layer": trunk_config["depth"],
            "n_head": trunk_config["heads"],
            "n_inner": hidden,
            "layer_norm_epsilon": trunk_config["eps"],
            "activation_function": act,
        }
    return {
        "model_type": "bert",
        "architectures": ["BertForPreTraining"],
        "vocab_size": trunk_config["vocabulary"],
        "max_position_embeddings": trunk_config["context"],
        "hidden_size": trunk_config["width"],
        "num_hidden_layers": trunk_config["depth"],
        "num_attention_heads": trunk_config["heads"],
        "intermediate_size": hidden,
        "type_vocab_size": trunk_config["segments"],
        "layer_norm_eps": trunk_config["eps"],
        "hidden_act": act,
    }


def read_hf_weights(folder: Path, convert: bool = False) -> dict[str, Tensor]:
    """Every tensor of the folder's safetensors; with `convert` of its pickled .bin, from which tensors alone are read.

    Raises CaudexError for pickled weights without `convert`, and where they hold more than tensors.
    """
    from safetensors.torch import load

    files, pickled_files = (sorted(folder.glob(pattern)) for pattern in ("*.safetensors", "*.bin"))
    if not files and not convert and pickled_files:
        raise CaudexError(
            f"{pickled_files[0]} is pickled, and a pickle can hold code; with --convert its tensors alone are read, and nothing in it is run."
        )
    if not files and not pickled_files:
        raise CaudexError(f"{folder} holds no model.safetensors; give the folder of a public GPT-2 or BERT.")
    weights: dict[str, Tensor] = {}
    for file in files or pickled_files:
        try:
            tensors = load(file.read_bytes()) if files else torch.load(file, "cpu", weights_only=True)
            weights |= {
                rename_gamma_beta(name): tensor for name, tensor in tensors.items() if isinstance(tensor, Tensor)
            }
        except Exception as error:  # torch and safetensors raise nearly every kind
            reason = str(error).partition(". ")[0].partition("\n")[0]
            raise CaudexError(f"{file} is damaged, or holds more than tensors ({reason}); fetch it again.") from None
    return weights


def rename_gamma_beta(name: str) -> str:
    """The first BERT checkpoints, which most people fetch, call the weight and bias of LayerNorm gamma and beta."""
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))


def read_hf_config(folder: Path) -> dict:
    """The folder's config.json."""
    file = folder / "config.json"
    if not file.is_file():
        raise CaudexError(f"{folder} holds no config.json; give the folder of a public GPT-2 or BERT.")
    try:
        return dict(json.loads(file.read_text()))
    except (ValueError, TypeError):
        raise CaudexError(f"{file} is no JSON object; fetch it again.") from None
