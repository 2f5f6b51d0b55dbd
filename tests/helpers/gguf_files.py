"""GGUF files of tiny public decoders, by the names and the layout that llama.cpp's converter gives them."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from caudex.data import Tokenizer
from helpers.public_models import tiny_tokenizer

ARCHITECTURES = {"llama": "LLAMA", "mistral": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}
"""of each model_type, as gguf calls it"""


def write_gguf(
    file: Path,
    model,
    types: dict[str, str] | None = None,
    fields: dict[str, Any] | None = None,
    tensors: dict[str, tuple[np.ndarray, str]] | None = None,
) -> None:
    """`types`: how a tensor, by its name there, is quantised; `fields`: further or other ones, None for one that is left out;
    `tensors`: further or other ones, numbers or quantised bytes, and their type."""
    writer = gguf.GGUFWriter(file, architecture(model.config.model_type))
    write_config(writer, model.config)
    write_tokenizer(writer, tiny_tokenizer("bpe"))
    for name, value in (fields or {}).items():
        writer.kv_data[0].pop(name, None)
        if value is not None:
            writer.add_key_value(name, value, gguf.GGUFValueType.get_type(value))
    contents = {name: (numbers, (types or {}).get(name, "F32")) for name, numbers in gguf_tensors(model).items()}
    for name, (numbers, type_) in (contents | (tensors or {})).items():
        kind = gguf.GGMLQuantizationType[type_]
        is_quantised = numbers.dtype == np.uint8
        writer.add_tensor(name, numbers if is_quantised else gguf.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def architecture(model_type: str) -> str:
    return gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH[ARCHITECTURES[model_type]]]


def write_config(writer: gguf.GGUFWriter, config) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim(config))
    writer.add_value_length(head_dim(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType[rope["rope_type"].upper()])
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope.get("original_max_position_embeddings", 16))
    if config.model_type == "mistral" and config.sliding_window:
        writer.add_sliding_window(config.sliding_window)


def head_dim(config) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def write_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    tokens = sorted(tokenizer.vocab, key=tokenizer.vocab.get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if id == tokenizer.eos_token_id else 1 for id in range(len(tokens))])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer.config["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)


def gguf_tensors(model) -> dict[str, np.ndarray]:
    config = model.config
    name_map = gguf.get_tensor_name_map(gguf.MODEL_ARCH[ARCHITECTURES[config.model_type]], config.num_hidden_layers)
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        numbers = tensor.numpy()
        if ARCHITECTURES[config.model_type] == "LLAMA" and ("q_proj" in name or "k_proj" in name):
            numbers = permute(numbers, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
        tensors[name_map.get_name(name, (".weight", ".bias"))] = numbers
    if config.rope_parameters["rope_type"] == "llama3":
        half = head_dim(config) // 2
        frequencies = config.rope_parameters["rope_theta"] ** -(torch.arange(half) / half)
        tensors["rope_freqs.weight"] = (frequencies / model.model.rotary_emb.inv_freq).numpy()
    return tensors


def permute(numbers: np.ndarray, heads: int) -> np.ndarray:
    """As llama.cpp turns neighbouring features, those of a head are interleaved: row 2 i + j is row i + j D / 2."""
    copy = np.empty_like(numbers)
    size = len(numbers) // heads
    for head in range(heads):
        for i in range(size // 2):
            for j in range(2):
                copy[head * size + 2 * i + j] = numbers[head * size + i + j * size // 2]
    return copy
