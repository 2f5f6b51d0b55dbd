"""Datasets of the Hugging Face hub."""

import io
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from helpers.image_files import assert_loading_refused
from PIL import Image

from caudex.core.errors import CaudexError
from caudex.data.images import hub, stores
from caudex.data.images.decode import ImageFormat


class ClassLabel:
    def __init__(self, names):
        self.names = names


class Value:
    pass


Feature = type("Image", (), {})


@dataclass
class HubRows:
    """As much of `datasets.Dataset` as is used: features, len, a row by number, a column by name."""

    images: list
    labels: list

    features = {"id": Value(), "image": Feature(), "label": ClassLabel(["cat", "dog"]), "lit": ClassLabel(["n", "y"])}  # noqa: RUF012

    def __len__(self):
        return len(self.images)

    def __getitem__(self, key):
        if key in ("label", "lit"):
            return self.labels
        if self.images[key] is None:
            raise OSError("broken")
        stream = io.BytesIO()
        self.images[key].save(stream, "PNG")
        return {"id": key, "image": Image.open(stream), "label": self.labels[key]}


def image_rows(rng, labels):
    return HubRows([Image.fromarray(rng.integers(0, 256, (9, 9), dtype=np.uint8)) for _ in labels], labels)


def test_a_data_set_of_the_hub(rng):
    splits = {
        "validation": image_rows(rng, [1, 0]),
        "train": image_rows(rng, [0, 1, 1, None]),
        "test": image_rows(rng, [-1, -1]),
    }
    split = hub.read_hub_splits(splits, "hf:pets", ImageFormat((0, 9, 9)))
    all_images = split.images
    assert (all_images.classes, all_images.labels.tolist()) == (("cat", "dog"), [0, 1, 1, -1, 1, 0])
    assert list(all_images.columns) == ["label", "lit"]
    assert split.test_rows.tolist() == [4, 5]  # the test split tells no labels
    assert (all_images.name(3), all_images.name(5)) == ("hf:pets/train/3", "hf:pets/validation/1")
    assert np.array_equal(all_images.fetch([5])[0, 0], np.asarray(splits["validation"].images[1]))


def test_broken_images_of_the_hub_and_of_large_sets(rng, monkeypatch):
    train = image_rows(rng, [0, 1] * 20)
    train.images[7] = None
    split = hub.read_hub_splits({"train": train}, "hf:pets", ImageFormat((0, 0, 0)))
    assert (len(split.images), split.skipped, split.test_rows) == (39, [("hf:pets/train/7", "broken")], None)
    monkeypatch.setattr(stores, "MEMORY_LIMIT", 100)
    all_images = hub.read_hub_splits({"train": train}, "hf:pets", ImageFormat((0, 0, 0))).images
    assert not all_images.in_memory
    assert (all_images.fetch([7]) == 0).all()
    assert all_images.readable([6, 7]).tolist() == [True, False]


def test_the_hub_without_the_extra_or_without_images(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert_loading_refused("pip install 'caudex[hub]'", "hf:mnist")
    monkeypatch.setattr(HubRows, "features", {"text": Value()})
    with pytest.raises(CaudexError, match="columns text; it needs"):
        hub.read_hub_splits({"train": image_rows(rng, [0])}, "hf:texts", ImageFormat((0, 0, 0)))
