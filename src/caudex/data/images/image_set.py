"""ImageSet: a store of pixels, and labels for some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.data.feature_cache import StoredFeatures
from caudex.data.images.decode import MAX_UNREADABLE_SHARE, ImageFormat, decode_images
from caudex.data.images.targets import is_labelled, unknown_labels
from caudex.data.sampling import evenly_spaced


@dataclass(frozen=True)
class NumberedNames:
    """Names of images that have only a number: `digits/17`, and `digits/test-3` from row `train_count` on."""

    prefix: str
    count: int
    train_count: int = 1 << 62

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> str:
        return f"{self.prefix}/{row}" if row < self.train_count else f"{self.prefix}/test-{row - self.train_count}"


@dataclass(frozen=True, eq=False)
class InMemoryImages:
    """Images that lie in memory: `images` is uint8 [N, C, H, W], `names[row]` the name of each,
    `cropped_shares[row]` the share that was cropped away to make it fit (None: nothing)."""

    images: Tensor
    names: Sequence[str]
    cropped_shares: Tensor | None = None
    image_format: ImageFormat = None  # by default that of the images' shape

    def __post_init__(self):
        if self.image_format is None:
            object.__setattr__(self, "image_format", ImageFormat(tuple(self.images.shape[1:])))

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, rows: Tensor) -> Tensor:
        """uint8 [B, C, H, W]: one indexing operation."""
        return self.images.index_select(0, rows)

    def readable(self, rows: Tensor) -> Tensor:
        """bool [B]: all of them."""
        return torch.ones(len(rows), dtype=torch.bool)


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images that are decoded on demand, because together they do not fit into memory.

    `names[row]` is a path (or, where `names` has a method `source(row)`, what that returns: a PIL image). One that
    cannot be read comes back as zeros and is marked in `unreadable` (uint8 [N]), its reason in `reasons` by row. A worker
    process marks only its own copy, so let it send `ImageSet.readable(index)` along with the batch.
    """

    names: Sequence[str]
    image_format: ImageFormat
    unreadable: np.ndarray = field(default=None)
    cropped_shares: Tensor | None = None  # where they were read from the headers
    reasons: dict[int, str] = field(default_factory=dict)

    def __post_init__(self):
        if self.unreadable is None:
            object.__setattr__(self, "unreadable", np.zeros(len(self.names), dtype=np.uint8))

    def __len__(self) -> int:
        return len(self.names)

    def fetch(self, rows: Tensor) -> Tensor:
        """uint8 [B, C, H, W]. CaudexError once more than 5% of all images are unreadable."""
        images, skipped, _ = decode_images(self.names, rows, self.image_format)
        for i, reason in skipped:
            self.unreadable[rows[i]] = 1
            self.reasons[int(rows[i])] = reason
        if skipped and self.unreadable.sum() > MAX_UNREADABLE_SHARE * len(self):
            i, reason = skipped[-1]
            raise CaudexError(
                f"{self.unreadable.sum():,} of {len(self):,} images cannot be read, for example "
                f"{self.names[int(rows[i])]} ({reason}). Mend or remove them."
            )
        return images

    def readable(self, rows: Tensor) -> Tensor:
        """bool [B]: False where an image fetched before could not be read and is only zeros."""
        return torch.from_numpy(self.unreadable)[rows] == 0


ImageStore = InMemoryImages | ImageFiles


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A set of images of one size, in memory or decoded on demand.

    `labels` are those of a `target`: the class, int64 [N], -1 where unlabelled; the tags, float32 [N, K] of zeros and ones, NaN
    where unlabelled; or a number, float64 [N], NaN where unlabelled. `classes` are the names of the K classes or tags, and
    `target_name` is the column of a table that has them. `columns` holds further label columns: name -> (int64 [N],
    class names). `hidden_labels` are the true labels of images whose label was hidden, for reports only: never train
    on them. `rows` says which images of the store these are (None: all, in order), so that a subset costs no copy.
    `features`: those of a frozen trunk for images of the store, where they were encoded; networks then begin with them.
    """

    store: ImageStore
    labels: Tensor
    classes: tuple[str, ...]
    columns: dict[str, tuple[Tensor, tuple[str, ...]]] = field(default_factory=dict)
    hidden_labels: Tensor | None = None
    rows: Tensor | None = None
    target: str = "class"
    target_name: str = ""
    features: StoredFeatures | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.image_format.shape

    @property
    def is_labelled(self) -> Tensor:
        """bool [N]"""
        return is_labelled(self.labels)

    @property
    def in_memory(self) -> bool:
        return isinstance(self.store, InMemoryImages)

    @property
    def image_format(self) -> ImageFormat:
        """How the images were read: so must be those that a model predicts."""
        return self.store.image_format

    @property
    def cropped_shares(self) -> Tensor:
        """[N]: the share of each that was cropped away; 0 where that is unknown, for what is decoded on demand."""
        shares = getattr(self.store, "cropped_shares", None)
        return torch.zeros(len(self)) if shares is None else shares[self._rows(slice(None))]

    def fetch(self, index) -> Tensor:
        """uint8 [B, C, H, W] of the images at `index`: whole numbers, a mask or a slice."""
        return self.store.fetch(self._rows(index))

    @property
    def store_rows(self) -> Tensor:
        """int64 [N]: the row of each in the store."""
        return self._rows(slice(None))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of what `inputs` returns for one image."""
        return self.shape if self.features is None else self.features.shape

    def inputs(self, index) -> Tensor:
        """What a network is given for the images at `index`: their features [B, ...] where they are encoded, else their pixels."""
        return self.fetch(index) if self.features is None else self.features.fetch(self._rows(index))

    def without_features(self) -> ImageSet:
        """The same images as pixels alone."""
        return replace(self, features=None)

    def readable(self, index) -> Tensor:
        """bool [B]: False where an image fetched before could not be read and is only zeros."""
        return self.store.readable(self._rows(index))

    def name(self, i: int) -> str:
        """The path of image `i`, or a name like `digits/17`."""
        return self.store.names[int(self._rows([i])[0])]

    def take(self, index) -> ImageSet:
        """The images at `index` as a set of their own; no image is copied."""
        index = self._index(index)
        return replace(
            self,
            rows=self._rows(index),
            labels=self.labels[index],
            columns={name: (labels[index], classes) for name, (labels, classes) in self.columns.items()},
            hidden_labels=None if self.hidden_labels is None else self.hidden_labels[index],
        )

    def in_colour(self) -> ImageSet:
        """The same images with three channels, which are equal where they were grey."""
        image_format = self.image_format._replace(shape=(3, *self.shape[1:]))
        store = replace(self.store, image_format=image_format)
        if self.in_memory:
            store = replace(store, images=self.store.images.expand(-1, 3, -1, -1).contiguous())
        return replace(self, store=store)

    def subsample(self, max_count: int) -> ImageSet:
        """At most `max_count` of them, evenly spaced over the set, whose order is that of the files, class by class."""
        return self.take(evenly_spaced(len(self), max_count))

    def without_labels(self) -> ImageSet:
        """The same images with every label moved to `hidden_labels`."""
        unlabelled = unknown_labels(self.labels)
        hidden = unlabelled if self.hidden_labels is None else self.hidden_labels
        return replace(
            self,
            labels=unlabelled,
            hidden_labels=torch.where(
                self.labels.isnan() if self.target != "class" else self.labels < 0, hidden, self.labels
            ),
            columns={name: (unknown_labels(labels), classes) for name, (labels, classes) in self.columns.items()},
        )

    def hashes(self) -> list[bytes]:
        """A fingerprint (16 bytes) of the pixels of each image; equal fingerprints are equal images."""
        parts = torch.arange(len(self)).split(4096)
        pixels = (self.fetch(part).flatten(1).numpy() for part in parts)
        return [blake2b(image, digest_size=16).digest() for part in pixels for image in part]

    def _index(self, index) -> Tensor:
        if isinstance(index, slice):
            return torch.arange(len(self))[index]
        index = torch.as_tensor(index)
        return index.nonzero().flatten() if index.dtype == torch.bool else index.long()

    def _rows(self, index) -> Tensor:
        index = self._index(index)
        return index if self.rows is None else self.rows[index]


@dataclass(frozen=True, eq=False)
class Split:
    """What `load_images` returns: the labelled, the unlabelled, those held out for the test, (path, reason) of those
    left out, and `train`: all images that are not held out, without labels. `test` is empty where too few are
    labelled to hold any out: then nothing is measured, and the program says so. `notes` are sentences on how the data
    was read, for the screen. `encoder`: the frozen network that made the features of the images, where they are encoded."""

    labelled: ImageSet
    unlabelled: ImageSet
    test: ImageSet
    skipped: list[tuple[str, str]] = field(default_factory=list)
    train: ImageSet | None = None
    notes: list[str] = field(default_factory=list)
    encoder: nn.Module | None = None
