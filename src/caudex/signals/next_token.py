"""Next token: which comes next? The signal of GPT."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.trunks import Tied, vocabulary_of


class NextToken(Signal):
    """Which token comes next? Cross-entropy at every place at once; the head is the trunk's own table of words.

    `unigram` is the loss of one who knows how often each token comes and nothing else, in nats: below it learning has
    begun. Sources: Radford et al. 2019, section 2; the tied table of Press and Wolf 2017.
    """

    needs = "tokens"

    def __init__(self, unigram: float | None = None):
        super().__init__()
        self.unigram = unigram

    def build(self, trunk):
        self.vocabulary, self.head = vocabulary_of(trunk), Tied()

    def chance_loss(self):
        return math.log(self.vocabulary) if self.unigram is None else self.unigram

    def logits(self, trunk: nn.Module, tokens: Tensor) -> Tensor:
        """[..., V] from features of tokens [..., width]."""
        return self.head(tokens, trunk.words.weight)

    def loss(self, trunk, batch):
        logits = self.logits(trunk, trunk(batch.tokens).layers["tokens"]).flatten(0, 1)  # [B * T, V]
        targets = batch.targets.flatten()
        return SignalOutput(F.cross_entropy(logits, targets), {"accuracy": accuracy(logits, targets)})
