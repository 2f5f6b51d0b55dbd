"""Images are encoded once: by content and weights, on after an interruption, and again where they changed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.photos import write_photos
from PIL import Image
from torch import nn

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data import Batches, encode_images, encode_split
from caudex.data.images import encoding


class Means(nn.Module):
    """The mean of each channel; counts what it encodes, and is interrupted after `stop_after`."""

    def __init__(self, scale=1.0, stop_after=1000):
        super().__init__()
        self.scale, self.count, self.stop_after = nn.Parameter(torch.tensor(scale)), 0, stop_after

    @torch.no_grad()
    def forward(self, images):
        if self.count > self.stop_after:
            raise KeyboardInterrupt
        self.count += len(images)
        return self.scale * images.float().mean((2, 3))


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encoding, "CHUNK", 4)
    photos = write_photos(tmp_path / "photos", labelled=4, unlabelled=9, test=2)
    return lambda: data.load_images(str(photos), size=16, on_demand=True)


def encoded(split, scale=1.0):
    encoder = Means(scale)
    split = encode_split(split, encoder)
    return split, encoder.count - 1  # one image told the shape


def test_every_image_is_encoded_once(load):
    split, count = encoded(load())
    assert count == 8 + 9 + 4
    for part in (split.labelled, split.unlabelled, split.test, split.train):
        expected = part.fetch(slice(None)).float().mean((2, 3))
        assert torch.allclose(part.inputs(slice(None)), expected, rtol=1e-3)
        assert part.input_shape == (3,) and part.take([0, 1]).inputs([1]).shape == (1, 3)
    assert torch.equal(split.labelled.without_features().inputs([0]), split.labelled.fetch([0]))
    again, count = encoded(load())
    assert count == 0
    assert torch.equal(again.test.inputs(slice(None)), split.test.inputs(slice(None)))
    assert encoded(load(), scale=2.0)[1] == 21  # other weights, other features


def test_batches_have_features_in_place_of_views(load):
    split, _ = encoded(load())
    batches = Batches(split.labelled, 4, seed=1, view=lambda *_: pytest.fail("features are not viewed"))
    batch = next(batches)
    assert torch.equal(batch.images, split.labelled.inputs(batch.index))
    state, after = batches.state_dict(), next(batches)
    resumed = Batches(split.labelled, 4, seed=1)
    resumed.load_state_dict(state)
    assert torch.equal(next(resumed).images, after.images)


def test_an_interrupted_encoding_goes_on(load):
    stopped = Means(stop_after=8)
    with pytest.raises(KeyboardInterrupt):
        encode_split(load(), stopped)
    assert encoded(load())[1] == 21 - (stopped.count - 1) < 21


def test_a_changed_image_is_encoded_anew_and_a_copy_is_not(load, tmp_path):
    encoded(load())
    photo = sorted((tmp_path / "photos" / "unlabelled").glob("*.png"))[0]
    Image.fromarray(np.full((20, 20, 3), 77, np.uint8)).save(photo)
    photo.with_name("copy.png").write_bytes(photo.read_bytes())
    split, count = encoded(load())
    assert count in (1, 2)  # the copy may be in the same chunk
    names = [split.unlabelled.name(i) for i in range(len(split.unlabelled))]
    assert split.unlabelled.inputs([names.index(str(photo))]).tolist() == [[77.0, 77.0, 77.0]]


def test_an_unreadable_image_is_left_out_and_told(load, tmp_path):
    broken = tmp_path / "photos" / "unlabelled" / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no jpeg")
    split, count = encoded(load())
    assert count == 21
    assert len(split.unlabelled) == 9 and len(split.train) == 17
    assert [path for path, _ in split.skipped] == [str(broken)]


def test_many_unreadable_images_are_refused(load, tmp_path):
    for number in range(3):
        (tmp_path / "photos" / "unlabelled" / f"broken{number}.jpg").write_bytes(b"no image")
    with pytest.raises(CaudexError, match=r"of 24 images cannot be read"):
        encoded(load())


def test_several_processes_share_the_work(load, monkeypatch):
    monkeypatch.setattr(encoding, "CHUNKS_AHEAD", 1)
    split = load()
    store, rows = split.train.store, torch.arange(20)  # in chunks of four
    first, second = Means(), Means()

    def encode_by_both(images):
        if first.count == 9:  # meanwhile another process encodes all the rest
            encode_images(store, rows, second)
        return Means.forward(first, images)

    first.forward = encode_by_both
    features = encode_images(store, rows, first)
    assert first.count < 1 + 20 and (features.index[rows] >= 0).all()
    assert torch.allclose(
        features.fetch(rows), replace(split.train, rows=rows).fetch(rows).float().mean((2, 3)), rtol=1e-3
    )
