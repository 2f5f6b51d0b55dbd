"""Small language models that have learned nothing, with random weights that tell tokens apart."""

from functools import cache

import torch

from caudex.core.learner import Learner
from caudex.core.specs import TextSpec
from caudex.data.text.tokenizers import Tokenizer
from caudex.models.causal_lm import CausalLM
from caudex.signals import NextToken
from caudex.trunks import GPT2_LAYOUT, Transformer
from helpers.texts import make_sentences


@cache
def byte_tokenizer():
    return Tokenizer.train("bpe", [(0, make_sentences(0, 200))], 300)


def make_causal_lm(context=128, seed=3):
    tokenizer = byte_tokenizer()
    sizes = GPT2_LAYOUT | {"vocabulary": tokenizer.vocab_size, "width": 16, "context": context, "depth": 1, "heads": 2}
    torch.manual_seed(seed)
    model = CausalLM(
        Learner(Transformer(**sizes), {"next-token": NextToken()}), TextSpec(sizes, tokenizer.config)
    ).eval()
    with torch.no_grad():
        model.trunk.token_embedding.weight.normal_()  # else all tokens are about as likely
    return model


def plain_log_likelihood(model, tokens, start):
    """The sum of ln p of the tokens from `start` on."""
    with torch.no_grad():
        features = model.trunk(torch.tensor([tokens[:-1]])).layers["tokens"][0]
        log_probs = model.signals["next-token"].logits(model.trunk, features).log_softmax(-1)
    return sum(log_probs[i - 1, tokens[i]].item() for i in range(start, len(tokens)))
