"""Masked tokens and next sentences share one pass."""

import torch
from helpers.language_trunks import bert_trunk

from caudex.core.learner import CachedTrunk
from caudex.signals import MaskedToken, NextSentence
from caudex.trunks import PaddedTokens


class Pairs:
    def __init__(self, tokens, targets):
        self.texts, self.targets, self.is_random_next = PaddedTokens(tokens), targets, torch.tensor([0, 1])


def test_both_heads_of_bert_share_one_pass_and_only_masked_tokens_count():
    trunk, passes = bert_trunk(), []
    trunk.register_forward_hook(lambda *_: passes.append(1))
    hidden, order = MaskedToken(), NextSentence()
    hidden.build(trunk), order.build(trunk)
    tokens, targets = torch.randint(0, 50, (2, 9)), torch.full((2, 9), -1)
    batch, cached = Pairs(tokens, targets), CachedTrunk(trunk)
    assert hidden.loss(cached, batch) is None  # nothing is hidden
    targets[0, 4] = 7
    output, other = hidden.loss(cached, batch), order.loss(cached, batch)
    assert len(passes) == 1
    logits = hidden.logits(trunk, trunk(tokens).layers["tokens"][0, 4])
    torch.testing.assert_close(output.loss, -logits.log_softmax(0)[7])
    torch.testing.assert_close(output.metrics["accuracy"], (logits.argmax() == 7).float())
    assert other.loss.isfinite()
