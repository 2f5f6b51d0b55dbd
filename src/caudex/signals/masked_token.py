"""Masked token: what was hidden? The signal of BERT."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of
from caudex.trunks import Tied, vocabulary_of


class MaskedToken(Signal):
    """Which tokens were hidden? Cross-entropy at the hidden places alone; `batch.targets` is -1 at all others.

    The head is a linear map, GELU and a normalisation before the trunk's own table of words, with a bias for each.
    The source hides the tokens (`views.hide`), so that other signals on the same texts share the pass.
    `unigram` is the loss of one who knows only how often each token comes, in nats: many trainings stay there long.
    Source: Devlin et al. 2019, section 3.1 and appendix A.1.
    """

    needs = "sentences"

    def __init__(self, unigram: float | None = None, eps: float = 1e-12):
        super().__init__()
        self.unigram, self.eps = unigram, eps

    def build(self, trunk):
        self.vocabulary, width = vocabulary_of(trunk), width_of(trunk)
        self.dense, self.norm, self.head = nn.Linear(width, width), nn.LayerNorm(width, self.eps), Tied()
        nn.init.normal_(self.dense.weight, std=0.02)
        nn.init.zeros_(self.dense.bias)
        self.bias = nn.Parameter(torch.zeros(self.vocabulary))

    def chance_loss(self):
        return math.log(self.vocabulary) if self.unigram is None else self.unigram

    def logits(self, trunk: nn.Module, tokens: Tensor) -> Tensor:
        """[..., V] from features of tokens [..., width]."""
        return self.head(self.norm(F.gelu(self.dense(tokens))), trunk.words.weight) + self.bias

    def loss(self, trunk, batch):
        hidden = batch.targets >= 0  # [B, T]
        if not hidden.any():
            return None
        logits = self.logits(trunk, trunk(batch.texts).layers["tokens"][hidden])  # [M, V], of the hidden ones alone
        targets = batch.targets[hidden]
        return SignalOutput(F.cross_entropy(logits, targets), {"accuracy": accuracy(logits, targets)})
