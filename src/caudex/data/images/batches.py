"""Sources over images that exist: shuffled, viewed, resumed exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.source import Source, as_source
from caudex.data.images.image_set import ImageSet
from caudex.data.sampling import mine, must_fit
from caudex.views import Draw, as_float

AHEAD = 3  # batches of files that are decoded before they are asked for
AT_ONCE = 8, 1 << 21  # batches, and values of their pixels, that are viewed in one call


class Batch(NamedTuple):
    """The observation stands first."""

    images: Tensor  # float [B, C, H, W] in [0, 1]
    labels: Tensor  # class numbers [B], -1 where unknown; or probabilities [B, K]
    index: Tensor  # [B] where each stands in its set
    weights: Tensor | None = None  # [B]
    columns: dict[str, Tensor] = {}  # noqa: RUF012 - further labels [B] by name; never mutated
    part: Tensor | None = None  # [B] which of the joined sources it came from
    other: Tensor | None = None  # float [B, C, H, W] a second view of each image


class Batches(Source):
    """Endless shuffled batches of `size` images, each seen through `view` as (seed, epoch, index) say.

    `labels` replaces the set's own: probabilities [N, K] (a teacher's) or class numbers [N].
    Of several processes each gets its part of every batch. A set smaller than `size` is gone through as often as
    a batch needs, so that batches are full. Files are decoded ahead; those that cannot be read are left out.
    `pairs` makes a second view of each image, `batch.other`.
    """

    def __init__(
        self,
        images: ImageSet,
        size: int,
        seed: int = 0,
        view: Callable | None = None,
        labels: Tensor | None = None,
        weights: Tensor | None = None,
        pairs: bool = False,
    ):
        if len(images) == 0:
            raise CaudexError("there are no images to make batches of; give a folder that has some.")
        must_fit(size, 4 * (1 + pairs) * math.prod(images.shape))
        self.images, self.size, self.seed, self.view = images, size, seed, view
        self.labels = images.labels if labels is None else labels
        self.weights, self.pairs = weights, pairs
        self.drawn = 0  # images so far; the whole state
        self._orders: dict[int, np.ndarray] = {}
        self._viewed: dict[int, tuple[Tensor, ...]] = {}  # by what `drawn` was before
        self._pool: ThreadPoolExecutor | None = None
        self._coming: dict[int, tuple[Tensor, Tensor, Future]] = {}  # by what `drawn` will be

    def __next__(self) -> Batch:
        begin, self.drawn = self.drawn, self.drawn + self.size
        if self.images.in_memory:
            return self._batch(*self._viewed_ahead(begin))
        index, epochs, images = self._decoded(begin)
        readable = self.images.readable(index)
        if not readable.any():
            return next(self)
        return self._batch(index[readable], *self._seen(index[readable], epochs[readable], images[readable]))

    def _viewed_ahead(self, begin: int) -> tuple[Tensor, ...]:
        """Several batches are viewed in one call, which costs more than its images do when those are small.

        Which ones stand together follows from `drawn` alone, so that a resumed training makes the same calls.
        """
        if begin not in self._viewed:
            batches, values = AT_ONCE
            together = min(batches, max(1, values // (self.size * math.prod(self.images.shape))))
            first = begin - begin % (self.size * together)
            begins = range(first, first + self.size * together, self.size)
            index, epochs = map(torch.cat, zip(*map(self._places, begins)))
            seen = self._seen(index, epochs, self.images.fetch(index))
            self._viewed = dict(zip(begins, zip(*(part.chunk(together) for part in (index, *seen)))))
        return self._viewed.pop(begin)

    def _decoded(self, drawn: int) -> tuple[Tensor, Tensor, Tensor]:
        """While this batch is learned from, the next ones are decoded."""
        self._pool = self._pool or ThreadPoolExecutor(2)
        for begin in range(drawn, drawn + (1 + AHEAD) * self.size, self.size):
            if begin not in self._coming:
                index, epochs = self._places(begin)
                self._coming[begin] = index, epochs, self._pool.submit(self.images.fetch, index)
        index, epochs, images = self._coming.pop(drawn)
        return index, epochs, images.result()

    def _places(self, drawn: int) -> tuple[Tensor, Tensor]:
        """Which images, and in which epoch each, of the batch that begins there."""
        places = mine(np.arange(drawn, drawn + self.size))
        epochs, rest = np.divmod(places, len(self.images))
        index = np.concatenate([self._order(epoch)[rest[epochs == epoch]] for epoch in np.unique(epochs)])
        return torch.from_numpy(index), torch.from_numpy(epochs)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders = {e: order for e, order in self._orders.items() if e >= epoch - 1}
            self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(len(self.images))
        return self._orders[epoch]

    def _seen(self, index: Tensor, epochs: Tensor, images: Tensor) -> tuple[Tensor, ...]:
        """One view of each image, or two: successive calls of one draw are independent."""
        draw, view = Draw(self.seed, epochs, index), self.view or (lambda images, draw: as_float(images))
        return tuple(view(images, draw) for _ in range(1 + self.pairs))

    def _batch(self, index: Tensor, images: Tensor, other: Tensor | None = None) -> Batch:
        columns = {name: labels[index] for name, (labels, _) in self.images.columns.items()}
        weights = None if self.weights is None else self.weights[index]
        return Batch(images, self.labels[index], index, weights, columns, other=other)

    @property
    def samples_seen(self) -> int:
        return self.drawn

    def state_dict(self) -> dict:
        return {"drawn": self.drawn}

    def load_state_dict(self, state: dict) -> None:
        self.drawn = state["drawn"]
        for _, _, images in self._coming.values():
            images.cancel()
        self._coming = {}
        self._viewed = {}


class Join(Source):
    """One source out of several: their batches stand one after the other, `part` says whose each example is.

    For one signal that must see both at once: domain confusion, or labelled and pseudo-labelled images under the
    same batch statistics.
    """

    def __init__(self, *sources):
        self.sources = [as_source(source) for source in sources]

    def __next__(self) -> Batch:
        drawn = [next(source) for source in self.sources]
        part = torch.cat([torch.full((len(batch.index),), i) for i, batch in enumerate(drawn)])
        weights = None
        if any(batch.weights is not None for batch in drawn):
            weights = torch.cat([torch.ones(len(b.index)) if b.weights is None else b.weights for b in drawn])
        columns = {
            name: torch.cat([b.columns[name] for b in drawn])
            for name in drawn[0].columns
            if all(name in b.columns for b in drawn)
        }
        whole = [torch.cat([getattr(batch, name) for batch in drawn]) for name in ("images", "labels", "index")]
        return type(drawn[0])(*whole, weights, columns, part)

    @property
    def samples_seen(self) -> int:
        return sum(source.samples_seen for source in self.sources)

    @property
    def can_checkpoint(self) -> bool:
        return all(source.can_checkpoint for source in self.sources)

    def state_dict(self) -> dict:
        return {"sources": [source.state_dict() for source in self.sources]}

    def load_state_dict(self, state: dict) -> None:
        for source, saved in zip(self.sources, state["sources"]):
            source.load_state_dict(saved)
