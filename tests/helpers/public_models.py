"""Tiny public folders, as transformers writes them, with weights that are not as they begin."""

from functools import cache, partial
from pathlib import Path

import torch
import transformers

from caudex.data import Tokenizer

TEXT = "The cat sat on the mat. The dog sat on the log! Did the hens sit in the pen? Müller's 1234 foxes."
DOCUMENTS = [(0, TEXT * 20), (1, "Another document about cats, dogs and naïve mats. " * 20)]


@cache
def tiny_tokenizer(kind: str) -> Tokenizer:
    return Tokenizer.train(kind, DOCUMENTS, 0 if kind == "characters" else 300)


def tiny_gpt2(vocab_size: int = 100, **settings):
    torch.manual_seed(0)
    sizes = {"n_positions": 32, "n_embd": 24, "n_layer": 2, "n_head": 3, "bos_token_id": 0, "eos_token_id": 0}
    config = transformers.GPT2Config(**{"vocab_size": vocab_size, **sizes, **settings})
    return disturb_weights(transformers.GPT2LMHeadModel(config))


def tiny_bert(vocab_size: int = 100, **settings):
    torch.manual_seed(0)
    names = ("max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    sizes = dict(zip(names, (32, 24, 2, 3, 40)))
    config = transformers.BertConfig(**{"vocab_size": vocab_size, **sizes, **settings})
    return disturb_weights(transformers.BertForPreTraining(config))


LLAMA_KINDS = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
}


def tiny_llama(vocab_size: int = 100, kind: str = "llama", **settings):
    torch.manual_seed(0)
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size")
    sizes = dict(zip(names, (32, 2, 4, 2, 40))) | {"max_position_embeddings": 32}
    sizes |= {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0} | ({"head_dim": 8} if kind == "qwen3" else {})
    config_type, model_type = LLAMA_KINDS[kind]
    return disturb_weights(model_type(config_type(**{"vocab_size": vocab_size, **sizes, **settings})))


def disturb_weights(model):
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model.eval()


def write_public_folder(folder: Path, kind: str, tokenizer: str | None = None, extra_ids: int = 0, **settings):
    """The model of a folder with config.json, model.safetensors and a vocabulary."""
    vocabulary = tiny_tokenizer(tokenizer or ("wordpiece" if kind == "bert" else "bpe"))
    if kind != "bert":
        settings = {"bos_token_id": vocabulary.eos_token_id, "eos_token_id": vocabulary.eos_token_id, **settings}
    build = {"gpt2": tiny_gpt2, "bert": tiny_bert}.get(kind) or partial(tiny_llama, kind=kind)
    model = build(vocabulary.vocab_size + extra_ids, **settings)
    model.save_pretrained(folder)
    vocabulary.save(folder)
    return model
