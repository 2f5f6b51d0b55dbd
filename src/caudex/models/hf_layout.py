"""The tensors of public models, by our names and by those of transformers, in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.typed_json import short_json
from caudex.models.hf_config import PublicConfig

LLAMA_NAMES = {
    "trunk.token_embedding": "embed_tokens",
    "trunk.norm": "norm",
    "trunk.blocks.{}.norm1": "layers.{}.input_layernorm",
    "trunk.blocks.{}.attention.qkv_proj": "layers.{}.self_attn.q_proj+k_proj+v_proj",
    "trunk.blocks.{}.attention.query_norm": "layers.{}.self_attn.q_norm",
    "trunk.blocks.{}.attention.key_norm": "layers.{}.self_attn.k_norm",
    "trunk.blocks.{}.attention.out_proj": "layers.{}.self_attn.o_proj",
    "trunk.blocks.{}.norm2": "layers.{}.post_attention_layernorm",
    "trunk.blocks.{}.gate_proj": "layers.{}.mlp.gate_proj",
    "trunk.blocks.{}.up_proj": "layers.{}.mlp.up_proj",
    "trunk.blocks.{}.down_proj": "layers.{}.mlp.down_proj",
    "signals.next-token.head": "lm_head",
}
LLAMA_BIASES = {
    "qkv_bias": ("q_proj", "k_proj", "v_proj"),
    "out_bias": ("o_proj",),
    "mlp_bias": ("gate_proj", "up_proj", "down_proj"),
}
"""the arguments of our trunk, and the modules that have a bias with them"""
LLAMA_KINDS = ("llama", "mistral", "qwen2", "qwen3")
WEIGHT_NAMES = {
    **dict.fromkeys(LLAMA_KINDS, LLAMA_NAMES),
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
        "signals.next-token.head": "lm_head",
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
        "signals.masked-token.head": "cls.predictions.decoder",
        "signals.masked-token": "cls.predictions",  # the bias of each word
        "signals.next-sentence.head": "cls.seq_relationship",
    },
}
"""our modules and those of transformers; a + joins what is one matrix in ours"""
BASE_MODEL_PREFIXES = {"gpt2": "transformer.", "bert": "bert.", **dict.fromkeys(LLAMA_KINDS, "model.")}
"""of the trunk's tensors, where a head is saved with it"""
OUTPUT_WEIGHTS = {
    **dict.fromkeys(LLAMA_KINDS, ("lm_head.weight", "embed_tokens.weight")),
    "gpt2": ("lm_head.weight", "wte.weight"),
    "bert": ("cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"),
}
"""the weights of the logits of tokens, and the embedding that they are tied to"""
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
BUFFERS = {
    **dict.fromkeys(LLAMA_KINDS, r"layers\.\d+\.self_attn\.rotary_emb\.inv_freq"),
    "gpt2": r"h\.\d+\.attn\.(masked_)?bias",
    "bert": r"embeddings\.(position_ids|token_type_ids)",
}
"""tensors without effect: masks and positions that older versions saved"""


class UnprefixedWeights(Mapping[str, Tensor]):
    """The tensors without the prefix of the trunk, so that they have one name whether or not a head is saved with it. Those
    that are read when they are asked for still are."""

    def __init__(self, model_type: str, weights: Mapping[str, Tensor]):
        self.weights = weights
        self.full_names = {name.removeprefix(BASE_MODEL_PREFIXES[model_type]): name for name in weights}

    def __getitem__(self, name: str) -> Tensor:
        return self.weights[self.full_names[name]]

    def __contains__(self, name: object) -> bool:  # without reading the tensor
        return name in self.full_names

    def __iter__(self) -> Iterator[str]:
        return iter(self.full_names)

    def __len__(self) -> int:
        return len(self.full_names)


def check_weights(config: PublicConfig, weights: Mapping[str, Tensor], path: Path) -> list[str]:
    """Compare the sizes in config.json with the tensors, before anything of that size is built, and look for tensors of
    the trunk that we would leave out. Returns the heads, of other tasks, that are left out.

    Raises CaudexError that names the tensor.
    """
    model_type = config.model_type
    for name, shape in config.sizes().items():
        if name not in weights:
            raise CaudexError(
                f"{path} has no tensor {name}; its weights are not of the {model_type} in its configuration."
            )
        _check_shape(path, name, weights[name], torch.Size(shape))
    output, embedding = OUTPUT_WEIGHTS[model_type]
    if output in weights:
        _check_shape(path, output, weights[output], weights[embedding].shape)
    trunk = config.trunk()
    names = {name for _, parts, _ in weight_names(model_type, trunk["depth"]) for name in parts}
    if model_type in LLAMA_KINDS:
        names = {name for name in names if has_llama_tensor(trunk, name)}
    roots = {name.partition(".")[0] for name in names if not name.startswith(("cls.", "lm_head."))}
    names |= {"cls.predictions.decoder.bias"} if model_type == "bert" else set()
    unknown = [name for name in weights if name not in names and not re.fullmatch(BUFFERS[model_type], name)]
    for name in unknown:
        if name.partition(".")[0] in roots:
            raise CaudexError(
                f"{path} has the tensor {short_json(name)}, which a {model_type} of its configuration does not have; without it the "
                "model would be another function."
            )
    heads = {name.partition(".")[0] for name in unknown}
    return sorted(name if name.isidentifier() else short_json(name) for name in heads)


def is_tied(config: PublicConfig, weights: Mapping[str, Tensor]) -> bool:
    """Whether the logits come from the token embedding; as in transformers, other weights in the file win."""
    output, embedding = OUTPUT_WEIGHTS[config.model_type]
    if output not in weights:
        return config.tie_word_embeddings
    return config.tie_word_embeddings and torch.equal(weights[output].float(), weights[embedding].float())


def weight_names(model_type: str, depth: int) -> Iterator[tuple[str, list[str], bool]]:
    """(our tensor, theirs whose concatenation it is, whether theirs is transposed) for every weight."""
    for our_module, hf_modules in WEIGHT_NAMES[model_type].items():
        for i in range(depth) if "{}" in our_module else [None]:
            ours, (stem, *others) = our_module.format(i), hf_modules.format(i).split("+")
            parts = [stem, *(f"{stem.rpartition('.')[0]}.{name}" for name in others)]
            for kind in ("weight", "bias"):
                is_transposed = model_type == "gpt2" and kind == "weight" and "c_" in hf_modules
                yield f"{ours}.{kind}", [f"{part}.{kind}" for part in parts], is_transposed


def has_llama_tensor(trunk: Mapping[str, Any], name: str) -> bool:
    """Whether a model with these arguments of the trunk has the tensor: biases and norms of heads are of some alone."""
    module, _, kind = name.rpartition(".")
    module = module.rpartition(".")[2]
    if module in ("q_norm", "k_norm"):
        return kind == "weight" and trunk.get("qk_norm", False)
    return kind == "weight" or any(trunk[flag] for flag, modules in LLAMA_BIASES.items() if module in modules)


def rows_of_parts(model: nn.Module, names: list[str], rows: int) -> tuple[int, ...]:
    """How many of the rows of our tensor each of theirs makes; heads of keys and values may be fewer than those of queries."""
    return model.trunk.blocks[0].attention.qkv_rows if len(names) == 3 else (rows,)


@torch.no_grad()
def load_hf_weights(model: nn.Module, config: PublicConfig, weights: Mapping[str, Tensor], path: Path) -> list[str]:
    """Load weights by the names of `UnprefixedWeights` into our model; returns those of our signals that lack weights and are
    unchanged.

    Raises CaudexError that names the tensor which is missing, of another shape or not of finite numbers.
    """
    state, missing_signals = model.state_dict(), set()
    output_bias = weights.get("cls.predictions.decoder.bias")  # what is added, where both are saved
    weights = weights if output_bias is None else {**weights, "cls.predictions.bias": output_bias}
    for ours, names, is_transposed in weight_names(config.model_type, len(model.trunk.blocks)):
        if ours not in state:
            continue
        if missing := [name for name in names if name not in weights]:
            if ours.startswith(("signals.", "trunk.pooler")):
                missing_signals.add(ours.split(".")[1])
                continue
            raise CaudexError(f"{path} has no tensor {missing[0]}; its weights are not of a {config.model_type}.")
        shape = state[ours].shape[::-1] if is_transposed else state[ours].shape
        parts = [weights[name] for name in names]
        for name, part, rows in zip(names, parts, rows_of_parts(model, names, shape[0])):
            _check_shape(path, name, part, torch.Size((rows, *shape[1:])))
        tensor = torch.cat(parts)
        state[ours].copy_(tensor.T if is_transposed else tensor)
    for i, block in enumerate(model.trunk.blocks):
        if (scale := config.query_scale(i)) != 1:
            queries = slice(model.trunk.width)
            block.attention.qkv_proj.weight[queries] *= scale
            block.attention.qkv_proj.bias[queries] *= scale
    return sorted(missing_signals)


def to_hf_weights(model: nn.Module, model_type: str) -> dict[str, Tensor]:
    """The weights of our model by the names of transformers."""
    state, weights = model.state_dict(), {}
    for ours, names, is_transposed in weight_names(model_type, len(model.trunk.blocks)):
        if ours in state:  # of tied heads and absent biases there is none
            tensor = state[ours].T if is_transposed else state[ours]
            prefix = "" if ours.startswith("signals.") else BASE_MODEL_PREFIXES[model_type]
            for name, part in zip(names, tensor.split(rows_of_parts(model, names, len(tensor)))):
                weights[prefix + name] = part.contiguous()
    if "cls.predictions.decoder.weight" in weights:  # untied, in transformers the bias is, too
        weights["cls.predictions.decoder.bias"] = weights["cls.predictions.bias"]
    return weights


def _check_shape(path: Path, name: str, tensor: Tensor, shape: torch.Size) -> None:
    if tensor.shape != shape:
        raise CaudexError(
            f"{path}: the tensor {name} has shape {tuple(tensor.shape)}, by its configuration it should have {tuple(shape)}."
        )
    if tensor.dtype not in FLOATS:
        raise CaudexError(
            f"{path}: the tensor {name} holds {tensor.dtype}; caudex reads {', '.join(map(str, FLOATS))}."
        )
    if tensor.numel() and not torch.stack(tensor.aminmax()).isfinite().all():  # half the time of looking at each
        raise CaudexError(f"{path}: the tensor {name} holds numbers that are not finite; fetch it again.")
