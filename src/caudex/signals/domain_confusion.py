"""Domain confusion: features from which nobody can tell the simulator from reality."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput, accuracy, frozen
from caudex.core.trunk import width_of
from caudex.trunks.layers import pool_map

KINDS = ("gradient-reversal", "uniform", "inverted")


class DomainConfusion(Signal):
    """A discriminator tells source from target images by their features; the trunk learns that it cannot.

    `gradient-reversal`: the discriminator's gradient reaches the trunk times -lambda, where lambda = `strength` *
    (2 / (1 + exp(-10 p)) - 1) grows with the progress p (Ganin et al. 2016, sections 4.2 and 5.2.2).
    `uniform`: the trunk's loss is the cross-entropy of the discriminator's answer with the uniform distribution (Tzeng et al. 2015).
    `inverted`: the discriminator shall take target images for source ones (Tzeng et al. 2017). Both weigh the trunk's loss by
    `strength` throughout. Discriminator and trunk step at once, from the same weights, where the papers of the last two alternate;
    ADDA has a second trunk for the target, here there is one.

    `layer` is one of the trunk's maps, as `pool_map` makes a vector of it; None: the pooled features. Batches are of a
    `Join` of source and target, as many of each. An accuracy of 50% alone is no proof of confusion, as a discriminator that has
    collapsed has it, too: `evaluation.domain_probe` teaches a new one.
    """

    needs = "domains"

    def __init__(
        self,
        kind: str = "gradient-reversal",
        strength: float = 1.0,
        layer: str | None = None,
        hidden: int = 100,
    ):
        super().__init__()
        if kind not in KINDS:
            raise CaudexError(f"domain confusion of kind {kind!r} is unknown; choose {', '.join(KINDS)}.")
        self.kind, self.strength, self.layer, self.hidden = kind, strength, layer, hidden

    def build(self, trunk):
        if self.layer is not None and self.layer not in trunk.widths:
            names = ", ".join(trunk.widths) or "none, so that the pooled features are the only choice"
            raise CaudexError(f"{type(trunk).__name__} has no layer {self.layer!r}; it has {names}.")
        width = width_of(trunk) if self.layer is None else 2 * trunk.widths[self.layer]
        self.discriminator = nn.Sequential(
            nn.Linear(width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 2)
        )  # fmt: skip

    def chance_loss(self):
        return math.log(2) if self.kind == "gradient-reversal" else (1 + self.strength) * math.log(2)

    def features(self, trunk, images: Tensor) -> Tensor:
        """[B, W]: what the discriminator is given."""
        features = trunk(images)
        return features.pooled if self.layer is None else pool_map(features.layers[self.layer])

    def loss(self, trunk, batch):
        domains = batch.source_index  # [B] 0: source, 1: target
        if domains is None:
            raise CaudexError("domain confusion needs images of two domains in one batch; feed it from a Join.")
        features = self.features(trunk, batch.images)
        if self.kind == "gradient-reversal":
            strength = self.strength * reversal_strength(self.progress)
            logits = self.discriminator(ReverseGradient.apply(features, strength))  # [B, 2]
            return SignalOutput(F.cross_entropy(logits, domains), self._metrics(logits, domains, strength))
        logits = self.discriminator(features.detach())
        loss = F.cross_entropy(logits, domains)
        with frozen(self.discriminator):
            log_probabilities = self.discriminator(features).log_softmax(1)
        mistaken = log_probabilities if self.kind == "uniform" else log_probabilities[domains == 1, 0]
        confusion = -mistaken.mean()
        return SignalOutput(loss + self.strength * confusion, self._metrics(logits, domains, self.strength))

    def _metrics(self, logits: Tensor, domains: Tensor, strength: float) -> dict[str, Tensor]:
        return {"accuracy": accuracy(logits.detach(), domains), "strength": logits.new_tensor(strength)}


def reversal_strength(progress: float) -> float:
    """Lambda of Ganin et al. 2016, section 5.2.2: from 0 at the beginning to nearly 1."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


class ReverseGradient(torch.autograd.Function):
    """The identity; its gradient is multiplied by -`strength`."""

    @staticmethod
    def forward(ctx, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return -ctx.strength * gradient, None
