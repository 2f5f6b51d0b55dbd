"""Next token: the language-modelling loss of GPT."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of
from caudex.trunks import TiedHead, vocabulary_of


class NextToken(Signal):
    """Predict the next token. Cross-entropy at every position; the head is tied to the trunk's token embedding, unless `tied`
    is false; a `frozen` head of its own stays as it was loaded.

    `unigram` is the loss of predicting token frequencies, in nats: learning starts below it.
    Sources: Radford et al. 2019, section 2; weight tying, Press and Wolf 2017.
    """

    needs = "tokens"

    def __init__(self, unigram: float | None = None, tied: bool = True, frozen: bool = False):
        super().__init__()
        self.unigram, self.tied, self.frozen = unigram, tied, frozen

    def build(self, trunk):
        self.vocabulary = vocabulary_of(trunk)
        self.head = TiedHead() if self.tied else nn.Linear(width_of(trunk), self.vocabulary, bias=False)
        self.head.requires_grad_(not self.frozen)

    def chance_loss(self):
        return math.log(self.vocabulary) if self.unigram is None else self.unigram

    def head_weight(self, trunk: nn.Module) -> Tensor:
        """[V, width]."""
        return trunk.token_embedding.weight if self.tied else self.head.weight

    def logits(self, trunk: nn.Module, tokens: Tensor) -> Tensor:
        """[..., V] from features of tokens [..., width]."""
        return self.head(tokens, trunk.token_embedding.weight) if self.tied else self.head(tokens)

    def loss(self, trunk, batch):
        logits = self.logits(trunk, trunk(batch.tokens).layers["tokens"]).flatten(0, 1)  # [B * T, V]
        targets = batch.targets.flatten()
        return SignalOutput(F.cross_entropy(logits, targets), {"accuracy": accuracy(logits, targets)})
