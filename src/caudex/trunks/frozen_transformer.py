"""A transformer that stays as it was learned, with features of one scale for a head."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caudex.core.trunk import Features, Trunk
from caudex.trunks.transformer import PaddedTokens, Transformer, mean_pooling


class FrozenTransformer(Trunk):
    """Standardises features of a transformer, which has no gradient and is always in eval mode: those of the last token, or with
    `mean_pooling` the mean of all.

    Takes tokens, or features [B, W] that `encode` made of them. A few features of language models are hundreds of times as large as
    the others (Sun et al. 2024), so that vectors brought to one length hold little else.
    """

    def __init__(self, transformer: Transformer, mean_pooling: bool = False):
        super().__init__()
        self.transformer, self.mean_pooling = transformer.requires_grad_(False), mean_pooling
        self.width, self.context = transformer.width, transformer.context
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("std", torch.ones(self.width))
        self.eval()

    def forward(self, x: PaddedTokens | Tensor, state: Any = None) -> Features:
        pooled = x if isinstance(x, Tensor) else self.encode(x)
        return Features((pooled - self.mean) / self.std)

    @torch.no_grad()
    def encode(self, texts: PaddedTokens) -> Tensor:
        """[B, W]"""
        tokens = self.transformer(texts).layers["tokens"]  # [B, T, W]
        if self.mean_pooling:
            return mean_pooling(tokens, texts.lengths)
        return tokens[torch.arange(len(tokens), device=tokens.device), texts.lengths - 1]

    @torch.no_grad()
    def set_statistics(self, features: Tensor) -> None:
        """Standardise by the mean and deviation of these features [N, W]; one that never changes is only centred."""
        std = features.double().std(0, correction=0)
        self.mean.copy_(features.double().mean(0))
        self.std.copy_(torch.where(std > 1e-6 * (1 + self.mean.abs()), std, 1.0))

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.transformer.flops(shape)

    def train(self, mode: bool = True):
        return super().train(False)
