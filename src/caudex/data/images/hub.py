"""Data sets of the Hugging Face hub, through the `datasets` package."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image

from caudex.core.errors import CaudexError, short_message
from caudex.data.images.decode import ImageFormat
from caudex.data.images.image_set import ImageSet
from caudex.data.images.opening import UnreadableError
from caudex.data.images.splits import UnsplitImages
from caudex.data.images.stores import make_store

TRAIN_SPLITS = ("train", "training")
TEST_SPLITS = ("test", "validation", "valid")
UNLABELLED_SPLITS = ("unlabelled", "unlabeled", "unsupervised")


def read_hub(name: str, image_format: ImageFormat) -> UnsplitImages:
    """Fetches a data set by its name on the hub. CaudexError without the extra, or if it cannot be fetched."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise CaudexError("hf:NAME needs the package datasets: pip install 'caudex[hub]'") from None
    try:
        splits = load_dataset(name)
    except Exception as error:  # the package raises its own, the network's and the file system's
        raise CaudexError(f"hf:{name} cannot be fetched: {short_message(error)}") from None
    return read_hub_splits(splits, f"hf:{name}", image_format)


def read_hub_splits(splits: Mapping, name: str, image_format: ImageFormat) -> UnsplitImages:
    """The images of a `DatasetDict`: its Image column, its ClassLabel columns (the one called label first).

    The test is the first of test, validation, valid whose images all have a label; a split called unlabelled counts.
    """
    train = next((split for split in TRAIN_SPLITS if split in splits), next(iter(splits)))
    features = splits[train].features
    image_column = next((column for column, feature in features.items() if type(feature).__name__ == "Image"), None)
    columns = [column for column, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    if image_column is None or not columns:
        raise CaudexError(f"{name} has the columns {', '.join(features)}; it needs one of Image and one of ClassLabel.")
    main_column = "label" if "label" in columns else columns[0]
    candidates = [split for split in TEST_SPLITS if split in splits and split != train]
    test = next((split for split in candidates if min(_read_column(splits[split], main_column), default=-1) >= 0), None)
    parts = [train, *(split for split in UNLABELLED_SPLITS if split in splits), *([test] if test else [])]
    rows = HubImages(name, [splits[part] for part in parts], parts, image_column)
    if not len(rows):
        raise CaudexError(f"{name} has no image in its splits {', '.join(splits)}.")
    store, readable, skipped = make_store(rows, image_format)
    labels = {}
    for column in columns:
        numbers = [label for part in parts for label in _read_column(splits[part], column)]
        labels[column] = torch.tensor(numbers), tuple(features[column].names)
    images = ImageSet(store, *labels[main_column], labels if len(labels) > 1 else {}).take(readable)
    is_test = (torch.arange(len(rows)) >= len(rows) - len(splits[test]))[readable] if test else None
    return UnsplitImages(images, is_test.nonzero().flatten() if test else None, skipped, duplicates="keep")


class HubImages:
    """Names and images of several splits, one after the other."""

    def __init__(self, name: str, splits: list, parts: list[str], image_column: str):
        self.name, self.splits, self.parts, self.image_column = name, splits, parts, image_column

    def __len__(self) -> int:
        return sum(len(split) for split in self.splits)

    def _locate(self, row: int) -> tuple[int, int]:
        for part, split in enumerate(self.splits):
            if row < len(split):
                return part, row
            row -= len(split)
        raise IndexError(row)

    def __getitem__(self, row: int) -> str:
        part, row = self._locate(row)
        return f"{self.name}/{self.parts[part]}/{row}"

    def source(self, row: int) -> Image.Image:
        part, row = self._locate(row)
        try:
            return self.splits[part][row][self.image_column]
        except Exception as error:  # decoding happens inside the package
            raise UnreadableError(str(error)) from None


def _read_column(split, column: str) -> list[int]:
    """Class numbers, -1 for none. A split without the column has none at all."""
    if column not in split.features:
        return [-1] * len(split)
    return [-1 if label is None else int(label) for label in split[column]]
