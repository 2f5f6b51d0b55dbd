"""Sources over datasets of images: shuffled, viewed, resumed exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypedDict

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.source import SamplesSeen, Source, as_source
from caudex.core.typed_json import check_kind
from caudex.data.images.image_set import ImageSet
from caudex.data.sampling import BalancedSampler, BatchSampler, check_batch_fits
from caudex.views import Draw, as_float

PREFETCHED_BATCHES = 3  # batches of files that are decoded ahead
MAX_VIEWED_BATCHES = 8  # batches that are viewed in one call
MAX_VIEWED_VALUES = 1 << 21  # values of their pixels


class Batch(NamedTuple):
    """The observation stands first."""

    images: Tensor  # float [B, C, H, W] in [0, 1]; or features [B, ...]
    labels: Tensor  # class numbers [B], -1 where unknown; or probabilities [B, K]
    index: Tensor  # [B] row of each image in its set
    weights: Tensor | None = None  # [B]
    columns: dict[str, Tensor] = {}  # noqa: RUF012 - further labels [B] by name; never mutated
    source_index: Tensor | None = None  # [B] which of the joined sources it came from
    other_images: Tensor | None = None  # float [B, C, H, W] a second view of each image


class Batches(Source):
    """Endless shuffled batches of `size` images, each image's `view` a function of (seed, epoch, index).

    `labels` replaces the set's own: probabilities [N, K] (a teacher's) or class numbers [N].
    Of several processes each gets its shard of every batch. A set smaller than `size` repeats within a batch, so that
    batches are full. Files are decoded ahead; those that cannot be read are left out.
    `two_views` makes a second view of each image, `batch.other_images`. `balanced` puts as many images of each class into
    every batch, by the set's own labels. Of encoded images batches have the features, without view.
    """

    def __init__(
        self,
        images: ImageSet,
        size: int,
        seed: int = 0,
        view: Callable | None = None,
        labels: Tensor | None = None,
        weights: Tensor | None = None,
        two_views: bool = False,
        balanced: bool = False,
    ):
        if len(images) == 0:
            raise CaudexError("there are no images to make batches of; give a folder that has some.")
        check_batch_fits(size, 4 * (1 + two_views) * math.prod(images.input_shape))
        self.images, self.size, self.seed, self.view = images, size, seed, view
        self.labels = images.labels if labels is None else labels
        self.weights, self.two_views = weights, two_views
        self.samples_seen = 0  # the whole state
        self._sampler = (
            BalancedSampler(images.labels.numpy(), size, seed) if balanced else BatchSampler(len(images), size, seed)
        )
        self._viewed: dict[int, tuple[Tensor, ...]] = {}  # by `samples_seen` before the batch
        self._pool: ThreadPoolExecutor | None = None
        self._prefetched: dict[int, tuple[Tensor, Tensor, Future]] = {}  # by the same

    def __next__(self) -> Batch:
        start, self.samples_seen = self.samples_seen, self.samples_seen + self.size
        if self.images.in_memory or self.images.features is not None:
            return self._make_batch(*self._views_from_memory(start))
        index, epochs, images = self._decoded_files(start)
        readable = self.images.readable(index)
        if not readable.any():
            return next(self)
        views = self._make_views(index[readable], epochs[readable], images[readable])
        return self._make_batch(index[readable], *views)

    def _views_from_memory(self, start: int) -> tuple[Tensor, ...]:
        """Several batches are viewed in one call, which costs more than its images do when those are small.

        Which batches go together follows from `start` alone, so that a resumed training makes the same calls.
        """
        if start not in self._viewed:
            values = self.size * math.prod(self.images.input_shape)
            count = min(MAX_VIEWED_BATCHES, max(1, MAX_VIEWED_VALUES // values))
            first = start - start % (self.size * count)
            starts = range(first, first + self.size * count, self.size)
            index, epochs = map(torch.cat, zip(*map(self._sample, starts)))
            views = self._make_views(index, epochs, self.images.inputs(index))
            self._viewed = dict(zip(starts, zip(*(part.chunk(count) for part in (index, *views)))))
        return self._viewed.pop(start)

    def _decoded_files(self, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """While this batch trains the learner, the next ones are decoded."""
        self._pool = self._pool or ThreadPoolExecutor(2)
        for ahead in range(start, start + (1 + PREFETCHED_BATCHES) * self.size, self.size):
            if ahead not in self._prefetched:
                index, epochs = self._sample(ahead)
                self._prefetched[ahead] = index, epochs, self._pool.submit(self.images.fetch, index)
        index, epochs, images = self._prefetched.pop(start)
        return index, epochs, images.result()

    def _sample(self, start: int) -> tuple[Tensor, Tensor]:
        """int64 [B]: the images of the batch that begins after `start` samples, and the epoch of each."""
        index, epochs = self._sampler.batch_at(start)
        return torch.from_numpy(index), torch.from_numpy(epochs)

    def _make_views(self, index: Tensor, epochs: Tensor, images: Tensor) -> tuple[Tensor, ...]:
        """One view of each image, or two: successive calls of one draw are independent."""
        if self.images.features is not None:
            return (images,) * (1 + self.two_views)
        draw, view = Draw(self.seed, epochs, index), self.view or (lambda images, draw: as_float(images))
        return tuple(view(images, draw) for _ in range(1 + self.two_views))

    def _make_batch(self, index: Tensor, images: Tensor, other_images: Tensor | None = None) -> Batch:
        columns = {name: labels[index] for name, (labels, _) in self.images.columns.items()}
        weights = None if self.weights is None else self.weights[index]
        return Batch(images, self.labels[index], index, weights, columns, other_images=other_images)

    def state_dict(self) -> dict:
        return {"samples_seen": self.samples_seen}

    def load_state_dict(self, state: dict) -> None:
        self.samples_seen = check_kind(state, SamplesSeen)["samples_seen"]
        for _, _, images in self._prefetched.values():
            images.cancel()
        self._prefetched = {}
        self._viewed = {}


class JoinState(TypedDict):
    sources: list[dict]


class Join(Source):
    """One source from several: their batches are concatenated; `source_index` says which source an example is from.

    For one signal that must see both at once: domain confusion, or labelled and pseudo-labelled images under the
    same batch statistics.
    """

    def __init__(self, *sources):
        self.sources = [as_source(source) for source in sources]

    def __next__(self) -> Batch:
        batches = [next(source) for source in self.sources]
        source_index = torch.cat([torch.full((len(batch.index),), i) for i, batch in enumerate(batches)])
        weights = None
        if any(batch.weights is not None for batch in batches):
            weights = torch.cat([torch.ones(len(b.index)) if b.weights is None else b.weights for b in batches])
        columns = {
            name: torch.cat([batch.columns[name] for batch in batches])
            for name in batches[0].columns
            if all(name in batch.columns for batch in batches)
        }
        joined = [torch.cat([getattr(batch, name) for batch in batches]) for name in ("images", "labels", "index")]
        return type(batches[0])(*joined, weights, columns, source_index)

    @property
    def samples_seen(self) -> int:
        return sum(source.samples_seen for source in self.sources)

    @property
    def can_checkpoint(self) -> bool:
        return all(source.can_checkpoint for source in self.sources)

    def state_dict(self) -> dict:
        return {"sources": [source.state_dict() for source in self.sources]}

    def load_state_dict(self, state: dict) -> None:
        for source, saved in zip(self.sources, check_kind(state, JoinState)["sources"], strict=True):
            source.load_state_dict(saved)
