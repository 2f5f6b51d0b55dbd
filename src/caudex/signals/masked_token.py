"""Masked token: the masked-language-modelling loss of BERT."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.collectives import mean_over_processes
from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of
from caudex.trunks import TiedHead, vocabulary_of


class MaskedToken(Signal):
    """Predict masked tokens. Cross-entropy at the masked positions alone; `batch.targets` is -1 at all others.

    The head is a linear map, GELU and layer normalisation before logits by the trunk's token embedding, or by weights of its
    own where `tied` is false, with a bias each.
    The source masks the tokens (`views.mask_tokens`), so that other signals on the same texts share the pass.
    `unigram` is the loss of predicting token frequencies, in nats: many trainings stay there long.
    Source: Devlin et al. 2019, section 3.1 and appendix A.1.
    """

    needs = "sentences"

    def __init__(
        self,
        unigram: float | None = None,
        eps: float = 1e-12,
        gelu_approximate: str = "none",
        tied: bool = True,
    ):
        super().__init__()
        self.unigram, self.eps, self.gelu_approximate, self.tied = unigram, eps, gelu_approximate, tied

    def build(self, trunk):
        self.vocabulary, width = vocabulary_of(trunk), width_of(trunk)
        self.dense, self.norm = nn.Linear(width, width), nn.LayerNorm(width, self.eps)
        self.head = TiedHead() if self.tied else nn.Linear(width, self.vocabulary, bias=False)
        nn.init.normal_(self.dense.weight, std=0.02)
        nn.init.zeros_(self.dense.bias)
        self.bias = nn.Parameter(torch.zeros(self.vocabulary))

    def chance_loss(self):
        return math.log(self.vocabulary) if self.unigram is None else self.unigram

    def logits(self, trunk: nn.Module, tokens: Tensor) -> Tensor:
        """[..., V] from features of tokens [..., width]."""
        transformed = self.norm(F.gelu(self.dense(tokens), approximate=self.gelu_approximate))
        logits = self.head(transformed, trunk.token_embedding.weight) if self.tied else self.head(transformed)
        return logits + self.bias

    def loss(self, trunk, batch):
        masked = batch.targets >= 0  # [B, T]
        count = masked.sum()
        share = count / mean_over_processes(count)  # a process with more masked tokens counts more
        if not masked.any():
            return None
        logits = self.logits(trunk, trunk(batch.texts).layers["tokens"][masked])  # [M, V]
        targets = batch.targets[masked]
        return SignalOutput(share * F.cross_entropy(logits, targets), {"accuracy": accuracy(logits, targets)})
