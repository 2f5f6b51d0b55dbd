"""Tiny DistilBERTs, RoBERTas and GPT-Neos, in folders as transformers writes them."""

from functools import cache
from pathlib import Path

import tokenizers
import torch
import transformers

from caudex.data import Tokenizer
from helpers.public_models import TEXT, disturb_weights, tiny_tokenizer

SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
ROBERTA = {
    "max_position_embeddings": 42, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40,
    "layer_norm_eps": 1e-5,
}  # fmt: skip
DISTILBERT = {"max_position_embeddings": 40, "dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 40}
GPT_NEO = {
    "max_position_embeddings": 32, "hidden_size": 24, "num_layers": 2, "num_heads": 3, "window_size": 12,
    "attention_types": [[["global", "local"], 1]], "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
RELATIVES = {
    "roberta": (transformers.RobertaConfig, transformers.RobertaForMaskedLM, ROBERTA),
    "distilbert": (transformers.DistilBertConfig, transformers.DistilBertForMaskedLM, DISTILBERT),
    "gpt_neo": (transformers.GPTNeoConfig, transformers.GPTNeoForCausalLM, GPT_NEO),
}


@cache
def roberta_tokenizer() -> Tokenizer:
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet)
    backend.train_from_iterator([TEXT] * 20, trainer)
    backend.add_special_tokens([tokenizers.AddedToken("<mask>", lstrip=True, normalized=False)])
    return Tokenizer(backend)


def write_relative(folder: Path, kind: str, **settings):
    torch.manual_seed(0)
    config_type, model_type, sizes = RELATIVES[kind]
    tokenizer = (
        roberta_tokenizer() if kind == "roberta" else tiny_tokenizer("wordpiece" if kind == "distilbert" else "bpe")
    )
    model = disturb_weights(model_type(config_type(**{"vocab_size": tokenizer.vocab_size, **sizes, **settings})))
    model.save_pretrained(folder)
    tokenizer.save(folder)
    return model
