"""Data sets of the Hugging Face hub, through the `datasets` package."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image

from caudex.core.errors import CaudexError, short_message
from caudex.data.images.decode import Unreadable
from caudex.data.images.image_set import ImageSet
from caudex.data.images.loading import load
from caudex.data.images.splits import Found

TRAINING = ("train", "training")
TEST = ("test", "validation", "valid")
UNLABELLED = ("unlabelled", "unlabeled", "unsupervised")


def hub(name: str, size: int) -> Found:
    """Fetches a data set by its name on the hub. CaudexError without the extra, or if it cannot be fetched."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise CaudexError("hf:NAME needs the package datasets: pip install 'caudex[hub]'") from None
    try:
        splits = load_dataset(name)
    except Exception as error:  # the package raises its own, the network's and the file system's
        raise CaudexError(f"hf:{name} cannot be fetched: {short_message(error)}") from None
    return of_splits(splits, f"hf:{name}", size)


def of_splits(splits: Mapping, name: str, size: int) -> Found:
    """The images of a `DatasetDict`: its Image column, its ClassLabel columns (the one called label first).

    The test is the first of test, validation, valid whose images all have a label; a split called unlabelled counts.
    """
    train = next((each for each in TRAINING if each in splits), next(iter(splits)))
    features = splits[train].features
    image = next((column for column, feature in features.items() if type(feature).__name__ == "Image"), None)
    columns = [column for column, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    if image is None or not columns:
        raise CaudexError(f"{name} has the columns {', '.join(features)}; it needs one of Image and one of ClassLabel.")
    main = "label" if "label" in columns else columns[0]
    others = [each for each in TEST if each in splits and each != train]
    test = next((each for each in others if min(_labels(splits[each], main), default=-1) >= 0), None)
    parts = [train, *(each for each in UNLABELLED if each in splits), *([test] if test else [])]
    rows = HubRows(name, [splits[part] for part in parts], parts, image)
    if not len(rows):
        raise CaudexError(f"{name} has no image in its splits {', '.join(splits)}.")
    store, readable, skipped = load(rows, size)
    labels = {}
    for column in columns:
        numbers = [label for part in parts for label in _labels(splits[part], column)]
        labels[column] = torch.tensor(numbers), tuple(features[column].names)
    everything = ImageSet(store, *labels[main], labels if len(labels) > 1 else {}).take(readable)
    is_test = (torch.arange(len(rows)) >= len(rows) - len(splits[test]))[readable] if test else None
    return Found(everything, is_test.nonzero().flatten() if test else None, skipped, leaks="keep")


class HubRows:
    """Names and images of several splits, one after the other."""

    def __init__(self, name: str, splits: list, parts: list[str], image: str):
        self.name, self.splits, self.parts, self.image = name, splits, parts, image

    def __len__(self) -> int:
        return sum(len(split) for split in self.splits)

    def _place(self, row: int) -> tuple[int, int]:
        for part, split in enumerate(self.splits):
            if row < len(split):
                return part, row
            row -= len(split)
        raise IndexError(row)

    def __getitem__(self, row: int) -> str:
        part, row = self._place(row)
        return f"{self.name}/{self.parts[part]}/{row}"

    def open(self, row: int) -> Image.Image:
        part, row = self._place(row)
        try:
            return self.splits[part][row][self.image]
        except Exception as error:  # decoding happens inside the package
            raise Unreadable(str(error)) from None


def _labels(split, column: str) -> list[int]:
    """Class numbers, -1 for none. A split without the column has none at all."""
    if column not in split.features:
        return [-1] * len(split)
    return [-1 if label is None else int(label) for label in split[column]]
