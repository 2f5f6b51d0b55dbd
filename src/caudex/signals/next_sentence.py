"""Next sentence: does the second passage follow the first? The second loss of BERT."""

from __future__ import annotations

import math

from torch import nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of


class NextSentence(Signal):
    """Predict whether the second passage follows the first or comes from another document, from the pooled features.

    `batch.is_random_next` is 1 where it comes from another document. Source: Devlin et al. 2019, section 3.1.
    """

    needs = "sentences"

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), 2)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def chance_loss(self):
        return math.log(2)

    def loss(self, trunk, batch):
        logits = self.head(trunk(batch.texts).pooled)  # [B, 2]: it follows; it is random
        return SignalOutput(
            F.cross_entropy(logits, batch.is_random_next.long()),
            {"accuracy": accuracy(logits, batch.is_random_next.long())},
        )
