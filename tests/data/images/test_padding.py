"""--pad fits an image in whole, wherever it comes from: a file, a data set of the hub, an array; in memory and on demand."""

import numpy as np
import pytest
import torch
from helpers.image_files import save_image
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image, ImageOps

from caudex import data
from caudex.data.images import arrays, stores
from caudex.data.images.decode import PADDING, ImageFormat, decode_image, padded_size

PADDED = ImageFormat((3, 16, 16), pad=True)


def test_a_wide_image_lies_whole_between_bands_of_the_mean_colour(tmp_path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, -4:] = 255  # a centre crop would lose it
    image = decode_image(str(save_image(tmp_path / "a.png", pixels)), PADDED)
    bands = np.concatenate([image[:, :4], image[:, -4:]], 1)
    assert (bands == np.array([124, 116, 104])[:, None, None]).all()
    assert image[:, 4:12, :13].max() == 0 and image[:, 4:12, 15].min() > 200
    grey = decode_image(str(tmp_path / "a.png"), PADDED._replace(shape=(1, 16, 16)))
    assert (grey[0, :4] == 117).all()


@given(some.integers(4, 90), some.integers(4, 90), some.sampled_from(["L", "RGB"]))
@settings(max_examples=40, deadline=None)
def test_files_are_padded_as_pillow_pads_and_arrays_alike(width, height, mode):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    expected = ImageOps.pad(image, (16, 16), Image.Resampling.BICUBIC, PADDING[len(mode)] if mode == "RGB" else 117)
    shape = (len(mode), 16, 16)
    padded = decode_image(image, PADDED._replace(shape=shape))
    assert np.array_equal(padded, np.asarray(expected).reshape(16, 16, -1).transpose(2, 0, 1))
    tensor = torch.from_numpy(np.asarray(image).reshape(1, height, width, -1).transpose(0, 3, 1, 2).copy())
    assert (arrays.fit_images(tensor, PADDED._replace(shape=shape))[0].numpy().astype(int) - padded).max() < 4


def test_what_is_a_hundred_times_as_long_keeps_a_line():
    assert padded_size((4000, 8), (16, 16)) == (16, 1) and padded_size((8, 4000), (16, 16)) == (1, 16)
    assert decode_image(Image.new("RGB", (4000, 8)), PADDED)[:, 7:9].min() == 0


@pytest.mark.parametrize("limit", [10**9, 100])
def test_a_set_is_padded_in_memory_and_on_demand_and_says_so(tmp_path, rng, monkeypatch, limit):
    monkeypatch.setattr(stores, "MEMORY_LIMIT", limit)
    for i in range(12):
        save_image(tmp_path / "ab"[i % 2] / f"{i}.png", rng.integers(0, 256, (16, 80, 3), dtype=np.uint8))
    split = data.load_images(str(tmp_path), size=20, pad=True, test_share=0)
    image = split.labelled.fetch([0])[0].numpy()
    assert np.array_equal(image, decode_image(split.labelled.name(0), ImageFormat((3, 20, 20), pad=True)))
    assert split.labelled.image_format == ImageFormat((3, 20, 20), pad=True)
    assert split.labelled.in_memory == (limit == 10**9) and not split.labelled.cropped_shares.any()


@pytest.mark.parametrize("size", [0, 16])
def test_arrays_are_padded_where_their_form_changes(tmp_path, rng, size):
    np.savez(tmp_path / "a.npz", x=rng.integers(200, 256, (8, 20, 40), dtype=np.uint8), y=np.arange(8) % 2)
    images = data.load_images(str(tmp_path / "a.npz"), size=size, pad=True, test_share=0).labelled
    assert images.image_format.pad and images.shape == ((1, 16, 16) if size else (1, 20, 40))
    assert (images.fetch([0])[0, 0, 0] == 117).all() == bool(size)
