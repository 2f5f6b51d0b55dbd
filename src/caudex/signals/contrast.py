"""Contrast: the contrastive losses of SimCLR and MoCo (InfoNCE)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.collectives import gather_rows, num_processes
from caudex.core.errors import CaudexError
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.trunk import width_of

KEY_GROUP = 16
"""keys that share batch statistics, about; half of a batch below 32"""


class Contrast(Signal):
    """Two views of one image belong together, views of others apart.

    Without a queue, both views go through the trunk in one pass, so that batch statistics do not tell them apart, and
    the other 2B - 2 images of the batch, of all processes, are the negatives of each (Chen et al. 2020, equation 1,
    algorithm 1). With `queue_size`, keys come from a momentum encoder (a `Shadow`, which the
    learner updates after each step), and the last `queue_size` keys are the negatives (He et al. 2020,
    equation 1, algorithm 1). Batch normalisation of keys is over small groups of a shuffled batch, as if on separate
    devices, so that batch statistics do not tell which key belongs to a query (section 3.3, shuffling BN).
    `hidden=0` is the linear head of MoCo's first version. Batches hold two views, `images` and `other_images`.
    """

    needs = "pairs"

    def __init__(
        self,
        dimensions: int = 64,
        hidden: int = 128,
        temperature: float = 0.2,
        queue_size: int = 0,
        momentum: float = 0.99,
    ):
        super().__init__()
        self.dimensions, self.hidden, self.temperature, self.momentum = dimensions, hidden, temperature, momentum
        self.queue_size = queue_size
        self.num_candidates = None  # for the partner, known after the first loss
        self.key_encoder: Shadow | None = None

    def build(self, trunk):
        width = width_of(trunk)
        if self.hidden:
            self.head = nn.Sequential(
                nn.Linear(width, self.hidden, bias=False), nn.BatchNorm1d(self.hidden), nn.ReLU(inplace=True),
                nn.Linear(self.hidden, self.dimensions, bias=False), nn.BatchNorm1d(self.dimensions),
            )  # fmt: skip
        else:
            self.head = nn.Linear(width, self.dimensions)
        if self.queue_size:
            self.register_buffer("queue", F.normalize(torch.randn(self.queue_size, self.dimensions), dim=1))
            self.register_buffer("queue_pointer", torch.zeros((), dtype=torch.int64))
            self.key_encoder = Shadow(nn.ModuleList([trunk, self.head]), self.momentum)

    def chance_loss(self):
        return None if self.num_candidates is None else math.log(int(self.num_candidates))

    def loss(self, trunk, batch):
        if len(batch.images) < 2:
            each = f" on each of {num_processes()} processes" * (num_processes() > 1)
            raise CaudexError(
                f"contrast needs other images as negatives; a batch of 1{each} has none, try --batch 128."
            )
        views = (batch.images, batch.other_images)
        if self.key_encoder:
            scores, partner, projections = self._queue_scores(trunk, *views)
        else:
            scores, partner, projections = self._batch_scores(trunk, *views, batch.index)
        self.num_candidates = (scores[0] > -torch.inf).sum()
        return SignalOutput(
            F.cross_entropy(scores / self.temperature, partner),
            {"accuracy": accuracy(scores, partner), **alignment_and_uniformity(*projections)},
        )

    def _batch_scores(self, trunk, images: Tensor, other_images: Tensor, index: Tensor):
        projections = project(trunk, self.head, torch.cat([images, other_images]))  # [2B, D]
        all_projections, start = gather_rows(projections)  # [2N, D], of all processes
        rows = torch.arange(len(projections), device=projections.device)
        partner = start + rows.roll(len(images))  # the other view of image i is at B + i
        index = torch.cat([index, index]).to(projections.device)
        # the view itself; in a small dataset an image may be in a batch twice
        same = index[:, None] == gather_rows(index)[0]
        same[rows, partner] = False
        return (projections @ all_projections.T).masked_fill(same, -torch.inf), partner, projections.chunk(2)

    def _queue_scores(self, trunk, images: Tensor, other_images: Tensor):
        queries = project(trunk, self.head, images)  # [B, D]
        with torch.no_grad():
            keys = self._encode_keys(other_images)  # [B, D]
        positives = (queries * keys).sum(1, keepdim=True)  # [B, 1]
        scores = torch.cat(
            [positives, queries @ self.queue.clone().T], 1
        )  # cloned: it changes before the backward pass
        self._enqueue(gather_rows(keys)[0])
        return scores, torch.zeros(len(queries), dtype=torch.long, device=images.device), (queries, keys)

    def _encode_keys(self, images: Tensor) -> Tensor:
        order = torch.randperm(len(images), device=images.device)
        trunk, head = self.key_encoder.copy.train()  # the trunk's running statistics are copied again after the step
        groups = images[order].tensor_split(min(len(images) // 2, max(2, len(images) // KEY_GROUP)))
        return torch.cat([project(trunk, head, group) for group in groups])[order.argsort()]

    def _enqueue(self, keys: Tensor) -> None:
        count, size = len(self.queue), len(keys)
        if size > count:
            raise CaudexError(f"a queue of {count:,} keys is smaller than a batch of {size:,}; try --queue {size}.")
        self.queue[(self.queue_pointer + torch.arange(size, device=keys.device)) % count] = (
            keys  # a batch may lack unreadable ones
        )
        self.queue_pointer.copy_((self.queue_pointer + size) % count)


def project(trunk, head: nn.Module, images: Tensor) -> Tensor:
    """Projections of images by trunk and head, of unit length: [B, D]."""
    return F.normalize(head(trunk(images).pooled), dim=1)


@torch.no_grad()
def alignment_and_uniformity(queries: Tensor, keys: Tensor) -> dict[str, Tensor]:
    """Alignment and uniformity of unit vectors [B, D] (Wang and Isola 2020, equations 2 and 3); lower is better.

    Collapsed features have uniformity 0.
    """
    distances = torch.pdist(gather_rows(queries)[0]).square()  # [B (B - 1) / 2]
    return {
        "alignment": (queries - keys).square().sum(1).mean(),
        "uniformity": torch.logsumexp(-2 * distances, 0) - math.log(len(distances)),
    }
