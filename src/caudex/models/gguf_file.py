"""GGUF files of Llama, Mistral, Qwen2 and Qwen3, in the form of a public folder: config.json, tensors, tokenizer.json.

Sources: docs/gguf.md of ggml; the names of fields and tensors in llama.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.gguf_header import GGUFHeader, describe_value, read_gguf_header, read_gguf_tensor
from caudex.core.specs import RopeScaling
from caudex.core.typed_json import short_json
from caudex.data.text.gguf_tokenizer import gguf_tokenizer_config, special_token_id
from caudex.models.chat_template import MAX_TEMPLATE
from caudex.trunks.rotary import scale_llama3

ARCHITECTURES = ("llama", "qwen2", "qwen3")
CONFIG_NAMES = {
    "context_length": ("max_position_embeddings", int),
    "embedding_length": ("hidden_size", int),
    "block_count": ("num_hidden_layers", int),
    "feed_forward_length": ("intermediate_size", int),
    "attention.head_count": ("num_attention_heads", int),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", float),
}
"""fields that every file has, and their names in config.json"""
SCALING_NAMES = {
    "factor": ("factor", float),
    "original_context_length": ("original_max_position_embeddings", int),
    "yarn_beta_fast": ("beta_fast", float),
    "yarn_beta_slow": ("beta_slow", float),
}
"""of rope.scaling, and in rope_scaling of config.json"""
OTHER_FIELDS = {
    "vocab_size", "attention.head_count_kv", "attention.key_length", "attention.value_length", "attention.sliding_window",
    "rope.dimension_count", "rope.freq_base", "rope.scaling.type", "rope.scaling.finetuned",
}  # fmt: skip
ONLY_VALUES = {
    "attention.causal": True, "tensor_data_layout": "Meta AI original pth", "rope.scale_linear": 1.0,
    "rope.scaling.attn_factor": 1.0, "rope.scaling.yarn_ext_factor": 1.0, "rope.scaling.yarn_attn_factor": 1.0,
}  # fmt: skip
"""fields that change what is computed: the one value that we compute; of those not named here, nothing and 0"""
TENSOR_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
BLOCK_TENSOR_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
LLAMA3_ROPE = {"original_max_position_embeddings": 8192, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
"""of every Llama 3 that was published"""


class GGUFModel(NamedTuple):
    config: dict[str, Any]
    """as config.json, with the ids of bos and eos"""
    weights: Mapping[str, Tensor]
    """float32, by the names of transformers; read when they are asked for"""
    tokenizer: dict[str, Any]
    """as tokenizer.json"""
    chat_template: str
    """"" where there is none"""


def read_gguf(file: Path) -> GGUFModel:
    """Raises CaudexError for a damaged file, another architecture, and what is not computed here."""
    header = read_gguf_header(file)
    arch = header.required("general.architecture", str)
    if arch not in ARCHITECTURES:
        raise CaudexError(
            f"{file} is a model of the architecture {short_json(arch)}; {', '.join(ARCHITECTURES)} can be imported."
        )
    check_model_fields(header, arch)
    weights = GGUFWeights(header, arch)
    config = gguf_config(header, arch, weights)
    template = header.field("tokenizer.chat_template", str, "")
    if len(template) > MAX_TEMPLATE:
        raise CaudexError(
            f"{file}: its chat template has {len(template):,} characters; up to {MAX_TEMPLATE:,} are read."
        )
    return GGUFModel(config, weights, gguf_tokenizer_config(header), template)


class GGUFWeights(Mapping[str, Tensor]):
    """The tensors by their names in transformers. Each is read from the file and multiplied out when it is asked for, so that
    memory holds one of them."""

    def __init__(self, header: GGUFHeader, arch: str):
        self.header, self.sources = header, {}
        for source in header.tensors:
            if (name := hf_name(source)) is not None:
                self.sources[name] = source
            elif source != "rope_freqs.weight":
                raise CaudexError(
                    f"{header.file} has the tensor {short_json(source)}, which caudex does not compute with."
                )
        self.head_counts: dict[str, int] = {}
        if arch == "llama":
            heads = layer_field(header, "llama.attention.head_count")
            kv_heads = layer_field(header, "llama.attention.head_count_kv", heads)
            self.head_counts = {"self_attn.q_proj": heads, "self_attn.k_proj": kv_heads}
        for name in self.sources:
            rows, heads = self.shape(name)[0], self.num_heads(name)
            if heads is not None and (heads < 1 or rows % (2 * heads)):
                tensor = short_json(self.sources[name])
                raise CaudexError(
                    f"{header.file}: the tensor {tensor} has {rows:,} rows, which {heads:,} heads cannot share."
                )

    def num_heads(self, name: str) -> int | None:
        """Of a tensor whose rows llama.cpp permutes within each head."""
        return self.head_counts.get(name.rpartition(".")[0].split(".", 3)[-1])

    def __getitem__(self, name: str) -> Tensor:
        numbers, heads = (
            read_gguf_tensor(self.header.file, self.header.tensors[self.sources[name]]),
            self.num_heads(name),
        )
        return torch.from_numpy(unpermute(numbers, heads) if heads else numbers)

    def __contains__(self, name: object) -> bool:  # without reading the tensor
        return name in self.sources

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.header.tensors[self.sources[name]].shape


def hf_name(source: str) -> str | None:
    """The name in transformers of a tensor; None for one that it does not have."""
    module, _, kind = source.rpartition(".")
    if kind not in ("weight", "bias"):
        return None
    if block := re.fullmatch(r"blk\.(\d{1,4})\.(\w+)", module):
        part = BLOCK_TENSOR_NAMES.get(block[2])
        return part and f"model.layers.{int(block[1])}.{part}.{kind}"
    return f"{TENSOR_NAMES[module]}.{kind}" if module in TENSOR_NAMES else None


def unpermute(numbers: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head in the order of transformers, which turns feature i with i + D / 2; llama.cpp turns neighbours."""
    pairs = numbers.reshape(heads, -1, 2, *numbers.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(numbers.shape)


def layer_field(header: GGUFHeader, name: str, default: int | None = None) -> int | None:
    """A number that may stand there once, or alike for every layer."""
    value = header.fields.get(name)
    if isinstance(value, np.ndarray) and len(value) and np.issubdtype(value.dtype, np.integer):
        if (value != value[0]).any():
            raise CaudexError(f"{header.file}: {name} is not the same for every layer; caudex does not compute that.")
        return int(value[0])
    return header.field(name, int, default)


def gguf_config(header: GGUFHeader, arch: str, weights: GGUFWeights) -> dict[str, Any]:
    """The content of a config.json; CaudexError for a field that changes the function and has no place there."""
    file = header.file
    config: dict[str, Any] = {"model_type": arch}
    for name, (config_name, kind) in CONFIG_NAMES.items():
        header_name = f"{arch}.{name}"
        config[config_name] = layer_field(header, header_name) if kind is int else header.field(header_name, kind)
        if config[config_name] is None:
            raise CaudexError(f"{file} has no field {header_name}; convert it anew.")
    heads, width = config["num_attention_heads"], config["hidden_size"]
    config["num_key_value_heads"] = layer_field(header, f"{arch}.attention.head_count_kv", heads)
    config["head_dim"] = header.field(f"{arch}.attention.key_length", int, width // max(heads, 1))
    for name in ("attention.value_length", "rope.dimension_count"):
        if header.field(f"{arch}.{name}", int, config["head_dim"]) != config["head_dim"]:
            raise CaudexError(
                f"{file}: {arch}.{name} is {header.fields[f'{arch}.{name}']:,}, and a head has {config['head_dim']:,} features; "
                "caudex does not compute that."
            )
    config["rope_theta"] = header.field(f"{arch}.rope.freq_base", float, 10_000.0)
    config["rope_scaling"] = rope_scaling(header, arch, config)
    window = header.field(f"{arch}.attention.sliding_window", int, 0)
    if 0 < window < config["max_position_embeddings"]:
        if arch != "llama":
            raise CaudexError(f"{file}: {arch}.attention.sliding_window is {window:,}; caudex does not compute that.")
        config |= {"model_type": "mistral", "sliding_window": window}
    config |= vocabulary_fields(header, arch, weights)
    config["tie_word_embeddings"] = "lm_head.weight" not in weights
    if arch != "qwen2":
        config["attention_bias"] = "model.layers.0.self_attn.q_proj.bias" in weights
    if arch == "llama":
        config["mlp_bias"] = "model.layers.0.mlp.up_proj.bias" in weights
    return config


def check_model_fields(header: GGUFHeader, arch: str) -> None:
    """Raises CaudexError for parts of a model, and for fields that change what is computed."""
    if header.field("general.type", str, "model") != "model":
        kind = short_json(header.fields["general.type"])
        raise CaudexError(f"{header.file} is of the type {kind}, no model; merge it into its model first.")
    if header.field("split.count", int, 1) not in (0, 1):
        raise CaudexError(
            f"{header.file} is one of several files of a model; merge them first: llama-gguf-split --merge FIRST.gguf ALL.gguf."
        )
    names = {*CONFIG_NAMES, *(f"rope.scaling.{name}" for name in SCALING_NAMES), *OTHER_FIELDS}
    for name, value in header.fields.items():
        key = name.removeprefix(f"{arch}.")
        if key == name or key in names:
            continue
        is_empty = not len(value) if isinstance(value, np.ndarray) else not value and key not in ONLY_VALUES
        if not is_empty and (isinstance(value, np.ndarray) or value != ONLY_VALUES.get(key)):
            raise CaudexError(
                f"{header.file}: {short_json(name)} is {describe_value(value)}; caudex does not compute that."
            )


def rope_scaling(header: GGUFHeader, arch: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """rope_scaling of config.json; CaudexError for two scalings, and for one that is not computed here."""
    kind = header.field(f"{arch}.rope.scaling.type", str, "none")
    scaling = None
    if kind != "none":
        scaling = {"rope_type": kind}
        for name, (config_name, type_) in SCALING_NAMES.items():
            if (value := header.field(f"{arch}.rope.scaling.{name}", type_)) is not None:
                scaling[config_name] = value
    if "rope_freqs.weight" not in header.tensors:
        return scaling
    if scaling:
        raise CaudexError(f"{header.file} scales rotary positions twice, by rope.scaling.type and rope_freqs.weight.")
    tensor = header.tensors["rope_freqs.weight"]
    divisors = read_gguf_tensor(header.file, tensor) if tensor.shape == (config["head_dim"] // 2,) else np.zeros(1)
    llama3 = {"rope_type": "llama3", "factor": float(divisors.max()), **LLAMA3_ROPE}
    theta = torch.tensor(config["rope_theta"], dtype=torch.float64)
    frequencies = theta ** (-torch.arange(len(divisors), dtype=torch.float64) / len(divisors))
    scaled = scale_llama3(
        frequencies, config["rope_theta"], RopeScaling("llama3", llama3["factor"], *LLAMA3_ROPE.values())
    )
    if not np.allclose(divisors, (frequencies / scaled).numpy(), rtol=1e-4, atol=0):
        raise CaudexError(
            f"{header.file}: rope_freqs.weight is not the scaling of Llama 3; caudex does not compute another."
        )
    return llama3 if llama3["factor"] > 1 else None


def vocabulary_fields(header: GGUFHeader, arch: str, weights: GGUFWeights) -> dict[str, Any]:
    if "model.embed_tokens.weight" not in weights:
        raise CaudexError(f"{header.file} has no tensor token_embd.weight.")
    rows = weights.shape("model.embed_tokens.weight")[0]
    if header.field(f"{arch}.vocab_size", int, rows) != rows:
        raise CaudexError(
            f"{header.file}: {arch}.vocab_size is {header.fields[f'{arch}.vocab_size']:,}, and token_embd.weight has {rows:,} rows."
        )
    ends = [special_token_id(header, name) for name in ("eos", "eot", "eom")]
    ends = list(dict.fromkeys(id for id in ends if id is not None))
    return {"vocab_size": rows, "bos_token_id": special_token_id(header, "bos"), "eos_token_id": ends or None}
