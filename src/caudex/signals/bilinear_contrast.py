"""Bilinear contrast: the contrastive loss of CURL, with a learned similarity."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from caudex.core.collectives import gather_rows
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of
from caudex.signals.policies import feature_projection


class BilinearContrast(Signal):
    """Two views of one observation belong together, views of others apart; keys come from a momentum encoder.

    The similarity is q W k (Laskin et al. 2020, equation 4), or with `bilinear` False the cosine divided by `temperature`;
    `momentum` None takes the keys from the trunk itself, without a gradient. With `feature_dim` the head is a linear map to
    so many features, layer-normalised; else there is none. Source: Laskin et al. 2020, section 4 and algorithm 1.
    """

    needs = "pairs"

    def __init__(
        self,
        momentum: float | None = 0.95,
        bilinear: bool = True,
        temperature: float = 0.1,
        feature_dim: int = 0,
    ):
        super().__init__()
        self.momentum, self.bilinear, self.temperature, self.feature_dim = momentum, bilinear, temperature, feature_dim
        self.key_encoder: Shadow | None = None

    def build(self, trunk):
        width = width_of(trunk)
        self.head = feature_projection(width, self.feature_dim)
        width = self.feature_dim or width
        self.similarity = nn.Parameter(torch.rand(width, width)) if self.bilinear else None
        if self.momentum is not None:
            self.key_encoder = Shadow(nn.ModuleList([trunk, self.head]), self.momentum)

    def loss(self, trunk, batch):
        queries = self.head(trunk(batch.images).pooled)  # [B, W]; signals on the same view share the pass
        with torch.no_grad():
            key_trunk, key_head = self.key_encoder.copy if self.key_encoder else (trunk, self.head)
            keys, start = gather_rows(key_head(key_trunk(batch.other_images).pooled))  # [N, W], of all processes
        if self.bilinear:
            queries, scale = queries @ self.similarity, 1.0
        else:
            queries, keys, scale = F.normalize(queries, dim=1), F.normalize(keys, dim=1), 1 / self.temperature
        scores = scale * queries @ keys.T  # [B, N]
        partner = start + torch.arange(len(queries), device=queries.device)
        return SignalOutput(F.cross_entropy(scores, partner), {"accuracy": lambda: accuracy(scores, partner)})
