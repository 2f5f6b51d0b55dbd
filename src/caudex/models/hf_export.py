"""A language model as a folder that transformers opens: AutoTokenizer gives our ids, AutoModel our features."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from caudex.core.disk import serialize_tensors, write_atomically
from caudex.data import Tokenizer
from caudex.models.hf_layout import to_hf_weights
from caudex.models.hf_llama import to_llama_config

FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def write_hf_folder(model: nn.Module, folder: Path) -> list[Path]:
    """The files of a `CausalLM` as those of a public GPT-2 or Llama, of a `MaskedLM` as those of a BERT."""
    model_type = model_type_of(model.trunk_config)
    special = special_tokens(model_type, model.tokenizer)
    ids = {f"{name}_id": model.tokenizer.vocab[token] for name, token in special.items() if name != "unk_token"}
    config = to_hf_config(model_type, model.trunk_config, tuple(model.signals), model.spec.tied)
    config |= {name: ids.get(name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    contents = {
        "config.json": config,
        "tokenizer.json": exported_tokenizer(model_type, model.tokenizer),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",  # which takes tokenizer.json as it is
            "model_max_length": model.trunk.context,
            "model_input_names": ["input_ids", *(["token_type_ids"] if model_type == "bert" else []), "attention_mask"],
            "clean_up_tokenization_spaces": False,
            "padding_side": "right",
            **special,
            **({"chat_template": model.spec.chat_template} if model.spec.chat_template else {}),
        },
    }
    if model_type != "bert":
        ends = model.spec.eos_token_ids or [ids[name] for name in ("eos_token_id",) if name in ids]
        unused = list(
            range(model.tokenizer.vocab_size, model.trunk_config["vocabulary"])
        )  # ids that stand for no token
        contents["generation_config.json"] = {
            "bos_token_id": config["bos_token_id"],
            "eos_token_id": list(ends) if len(ends) != 1 else ends[0],
            "pad_token_id": ids.get("pad_token_id"),
            **({"suppress_tokens": unused} if unused else {}),
        }
    for name, content in contents.items():
        write_atomically(folder / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    weights = serialize_tensors(to_hf_weights(model, model_type), {"format": "pt"})
    write_atomically(folder / "model.safetensors", weights)
    return [folder / name for name in FILES if name in contents or name == "model.safetensors"]


def model_type_of(trunk_config: Mapping[str, Any]) -> str:
    """The public kind of model that a trunk with these arguments is."""
    if trunk_config.get("rms_norm"):
        return to_llama_config(trunk_config)["model_type"]
    return "gpt2" if trunk_config["causal"] else "bert"


def special_tokens(model_type: str, tokenizer: Tokenizer) -> dict[str, str]:
    """The special tokens by their names in transformers. A decoder without a token to begin with begins, and without one for
    padding pads, with the end of a text."""
    ids = {"unk_token": tokenizer.unk_token_id, "pad_token": tokenizer.pad_token_id}
    if model_type == "bert":
        ids |= {"cls_token": tokenizer.cls_token_id, "sep_token": tokenizer.sep_token_id}
        ids |= {"mask_token": tokenizer.mask_token_id}
    else:
        start = tokenizer.eos_token_id if tokenizer.start_token_id is None else tokenizer.start_token_id
        ids |= {"bos_token": start, "eos_token": tokenizer.eos_token_id}
        ids["pad_token"] = tokenizer.eos_token_id if ids["pad_token"] is None else ids["pad_token"]
    return {name: tokenizer.id_to_token(id) for name, id in ids.items() if id is not None}


def exported_tokenizer(model_type: str, tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of tokenizer.json; for BERT with [CLS] A [SEP] B [SEP], as `encode_texts` puts texts together."""
    if model_type not in ("gpt2", "bert"):
        return tokenizer.config
    if model_type == "gpt2" or None in (tokenizer.cls_token_id, tokenizer.sep_token_id):
        return tokenizer.config | {"post_processor": None}
    cls, sep = (tokenizer.id_to_token(id) for id in (tokenizer.cls_token_id, tokenizer.sep_token_id))

    def special(token: str, segment: int = 0) -> dict:
        return {"SpecialToken": {"id": token, "type_id": segment}}

    first, second = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate("AB"))
    single = [special(cls), first, special(sep)]
    template = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, second, special(sep, 1)],
        "special_tokens": {
            token: {"id": token, "ids": [tokenizer.vocab[token]], "tokens": [token]} for token in {cls: 0, sep: 0}
        },
    }
    return tokenizer.config | {"post_processor": template}


def to_hf_config(
    model_type: str, trunk_config: Mapping[str, Any], signals: tuple[str, ...] = (), tied: bool = True
) -> dict[str, Any]:
    """config.json of transformers for a trunk with these arguments, under these signals."""
    if model_type not in ("gpt2", "bert"):
        return {
            **to_llama_config(trunk_config),
            "architectures": [f"{model_type.capitalize()}{'ForCausalLM' if 'next-token' in signals else 'Model'}"],
            "vocab_size": trunk_config["vocabulary"],
            "dtype": "float32",
            "tie_word_embeddings": tied,
        }
    hidden = trunk_config.get("hidden") or 4 * trunk_config["width"]
    act = {"tanh": "gelu_new", "none": "gelu"}[trunk_config["gelu_approximate"]]
    dropout = trunk_config.get("dropout", 0.0)
    common = {"model_type": model_type, "vocab_size": trunk_config["vocabulary"], "dtype": "float32"}
    common |= {"tie_word_embeddings": tied, "initializer_range": 0.02}
    if model_type == "gpt2":
        return common | {
            "architectures": ["GPT2LMHeadModel" if "next-token" in signals else "GPT2Model"],
            "n_positions": trunk_config["context"],
            "n_embd": trunk_config["width"],
            "n_layer": trunk_config["depth"],
            "n_head": trunk_config["heads"],
            "n_inner": hidden,
            "layer_norm_epsilon": trunk_config["eps"],
            "activation_function": act,
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout),
        }
    heads = {name for name in signals if name in ("masked-token", "next-sentence")}
    architectures = {2: "BertForPreTraining", 0: "BertModel"}
    one = "BertForMaskedLM" if "masked-token" in heads else "BertForNextSentencePrediction"
    return common | {
        "architectures": [architectures.get(len(heads), one)],
        "max_position_embeddings": trunk_config["context"],
        "hidden_size": trunk_config["width"],
        "num_hidden_layers": trunk_config["depth"],
        "num_attention_heads": trunk_config["heads"],
        "intermediate_size": hidden,
        "type_vocab_size": trunk_config["segments"],
        "layer_norm_eps": trunk_config["eps"],
        "hidden_act": act,
        **dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), dropout),
    }
