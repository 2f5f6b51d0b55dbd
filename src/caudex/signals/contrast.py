"""Contrast: two views of one image belong together, views of others apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of

GROUP = 16
"""keys, about, that share batch statistics; of a batch below 32 half"""


class Contrast(Signal):
    """Two views of one image belong together, views of others apart.

    Without a queue, both views go through the trunk in one pass, so that batch statistics tell them apart nowhere,
    and the other 2B - 2 images of the batch are the negatives of each (Chen et al. 2020, equation 1, algorithm 1).
    With one, keys come from a slow copy of trunk and head, and the last `queue` keys are the negatives (He et al.
    2020, equation 1, algorithm 1). Keys are normalised in small groups of a shuffled batch, as if each group were on
    a device of its own, so that batch statistics do not tell which key belongs to a query (section 3.3, shuffling BN).
    `hidden=0` is the linear head of MoCo's first version. Batches hold two views, `images` and `other`.
    """

    needs = "pairs"

    def __init__(
        self,
        dimensions: int = 64,
        hidden: int = 128,
        temperature: float = 0.2,
        queue: int = 0,
        momentum: float = 0.99,
    ):
        super().__init__()
        self.dimensions, self.hidden, self.temperature, self.momentum = dimensions, hidden, temperature, momentum
        self.remembered, self.choices = queue, None  # among how many the partner is told, known once it has learned
        self.keys: Shadow | None = None

    def build(self, trunk):
        width = width_of(trunk)
        if self.hidden:
            self.head = nn.Sequential(
                nn.Linear(width, self.hidden, bias=False), nn.BatchNorm1d(self.hidden), nn.ReLU(inplace=True),
                nn.Linear(self.hidden, self.dimensions, bias=False), nn.BatchNorm1d(self.dimensions),
            )  # fmt: skip
        else:
            self.head = nn.Linear(width, self.dimensions)
        if self.remembered:
            self.register_buffer("queue", F.normalize(torch.randn(self.remembered, self.dimensions), dim=1))
            self.register_buffer("place", torch.zeros((), dtype=torch.int64))
            self.keys = Shadow(nn.ModuleList([trunk, self.head]), self.momentum)

    def chance_loss(self):
        return None if self.choices is None else math.log(int(self.choices))

    def loss(self, trunk, batch):
        if len(batch.images) < 2:
            raise CaudexError("contrast needs other images to tell one from; a batch of 1 has none, try --batch 128.")
        views = (batch.images, batch.other)
        if self.keys:
            scores, partner, pairs = self._against_queue(trunk, *views)
        else:
            scores, partner, pairs = self._within_batch(trunk, *views, batch.index)
        self.choices = (scores[0] > -torch.inf).sum()
        return SignalOutput(
            F.cross_entropy(scores / self.temperature, partner),
            {"accuracy": accuracy(scores, partner), **spread(*pairs)},
        )

    def _within_batch(self, trunk, one: Tensor, other: Tensor, index: Tensor):
        both = project_distribution(trunk, self.head, torch.cat([one, other]))  # [2B, D]
        rows = torch.arange(len(both), device=both.device)
        partner = rows.roll(len(one))  # view i of one stands at B + i
        index = torch.cat([index, index]).to(both.device)
        same = index[:, None] == index  # oneself; in a small set an image may stand in a batch more than once
        same[rows, partner] = False
        return (both @ both.T).masked_fill(same, -torch.inf), partner, both.chunk(2)

    def _against_queue(self, trunk, one: Tensor, other: Tensor):
        queries = project_distribution(trunk, self.head, one)  # [B, D]
        with torch.no_grad():
            keys = self._keys(other)  # [B, D]
        same = (queries * keys).sum(1, keepdim=True)  # [B, 1]
        scores = torch.cat([same, queries @ self.queue.clone().T], 1)  # cloned: it moves on before the backward pass
        self._enqueue(keys)
        return scores, torch.zeros(len(queries), dtype=torch.long, device=one.device), (queries, keys)

    def _keys(self, other: Tensor) -> Tensor:
        order = torch.randperm(len(other), device=other.device)
        trunk, head = self.keys.copy.train()  # its running statistics are the trunk's again after the step
        groups = other[order].tensor_split(min(len(other) // 2, max(2, len(other) // GROUP)))
        return torch.cat([project_distribution(trunk, head, group) for group in groups])[order.argsort()]

    def _enqueue(self, keys: Tensor) -> None:
        count, size = len(self.queue), len(keys)
        if size > count:
            raise CaudexError(f"a queue of {count:,} keys is smaller than a batch of {size:,}; try --queue {size}.")
        self.queue[(self.place + torch.arange(size, device=keys.device)) % count] = (
            keys  # a batch may lack unreadable ones
        )
        self.place.copy_((self.place + size) % count)


def project_distribution(trunk, head: nn.Module, images: Tensor) -> Tensor:
    """What trunk and head make of images, on the unit sphere: [B, D]."""
    return F.normalize(head(trunk(images).pooled), dim=1)


@torch.no_grad()
def spread(one: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Alignment and uniformity of unit vectors [B, D] (Wang and Isola 2020, equations 2 and 3); both fall as it learns.

    Collapsed features have uniformity 0.
    """
    apart = torch.pdist(one).square()  # [B (B - 1) / 2]
    return {
        "alignment": (one - other).square().sum(1).mean(),
        "uniformity": torch.logsumexp(-2 * apart, 0) - math.log(len(apart)),
    }
