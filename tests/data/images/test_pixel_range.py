"""Images of more than 8 bits: one range for the set, and the right pixels."""

import struct
import zlib

import numpy as np
import pytest
from helpers.image_files import assert_loading_refused, save_image
from hypothesis import given
from hypothesis import strategies as some
from pytest import approx

from caudex import data
from caudex.data.images import stores
from caudex.data.images.decode import ImageFormat
from caudex.data.images.pixel_range import choose_range, describe_range, to_eight_bits


@pytest.mark.parametrize(
    "extremes, expected",
    [
        ([(0, 65_520, True)], (0, 65_535)),
        ([(5, 4_000, True), (0, 300, True)], (0, 4_095)),
        ([(0, 200, True)], (0, 255)),
        ([(0, 256, True)], (0, 511)),
        ([(0, 2**31 - 1, True)], (0, 2**31 - 1)),
        ([(0.0, 0.9, False)], (0, 1)),
        ([(0.0, 0.25, False), (0.1, 1.0, False)], (0, 1)),
        ([(0.0, 0.001, False)], (0, 0.001)),
        ([(0.0, 65_535.0, False)], (0, 65_535)),
        ([(0.0, 250.0, False)], (0, 255)),
        ([(-0.7, 0.9, False)], (-1, 1)),
        ([(-1024, 3071, True)], (-1024, 3071)),
        ([(-1000.0, 400.0, False), (-20.0, 900.0, False)], (-1000, 900)),
        ([(0, 0, True)], (0, 255)),
        ([(0.0, 0.0, False)], (0, 1)),
    ],
)
def test_the_range_that_a_set_has(extremes, expected):
    assert choose_range(extremes) == approx(expected)


@given(
    some.lists(
        some.tuples(some.floats(-1e30, 1e30), some.floats(0, 1e30), some.booleans()),
        min_size=1,
        max_size=5,
    )
)
def test_all_of_the_sample_lies_in_the_range(extremes):
    extremes = [(low, low + size, whole) for low, size, whole in extremes]
    low, high = choose_range(extremes)
    assert low < high and all(low <= least and most <= high for least, most, _ in extremes)
    ends = np.array([low, high])
    assert to_eight_bits(ends, (low, high)).tolist() == [0, 255]


def write_set(root, rng, make):
    for name in ("a", "b"):
        for i in range(5):
            save_image(root / name / f"{i}.tif", make(rng))
    return str(root)


WIDE = {
    "float to 65,535": (lambda rng: rng.uniform(0, 65_535, (16, 16)).astype(np.float32), 65_535),
    "fractions": (lambda rng: rng.uniform(0, 1, (16, 16)).astype(np.float32), 1),
    "12 bits in 16": (lambda rng: rng.integers(0, 4096, (16, 16)).astype(np.uint16), 4095),
    "16 bits": (lambda rng: rng.integers(0, 65_536, (16, 16)).astype(np.uint16), 65_535),
    "32 bits": (lambda rng: rng.integers(0, 2**20, (16, 16)).astype(np.int32), 2**20 - 1),
}


@pytest.mark.parametrize("kind", WIDE)
@pytest.mark.parametrize("limit", [10**9, 100])
def test_no_image_is_clipped_or_black(tmp_path, rng, monkeypatch, kind, limit):
    monkeypatch.setattr(stores, "MEMORY_LIMIT", limit)
    make, high = WIDE[kind]
    split = data.load_images(write_set(tmp_path, rng, make), test_share=0)
    assert split.labelled.image_format.pixel_range == (0, high) and split.notes == [describe_range((0, high))]
    images = split.labelled.fetch(slice(None)).float()
    assert images.mean() == approx(127.5, abs=3) and images.max() > 250 and images.min() < 5


def test_a_dark_image_stays_dark_in_a_set_with_bright_ones_and_in_predict(tmp_path, rng):
    root = write_set(tmp_path / "set", rng, lambda rng: rng.integers(0, 4096, (16, 16)).astype(np.uint16))
    dark = save_image(tmp_path / "dark.tif", np.full((16, 16), 409, np.uint16))
    pixel_range = data.load_images(root).labelled.image_format.pixel_range
    assert pixel_range == (0, 4095)
    assert (data.read_images([str(dark)], ImageFormat((1, 16, 16), pixel_range)).images == 25).all()
    assert (data.read_images([str(dark)], ImageFormat((1, 16, 16))).images == 204).all()  # its own range: 0 to 511


def test_eight_bits_stay_as_they_are_beside_more(tmp_path, rng):
    root = write_set(tmp_path, rng, lambda rng: rng.integers(0, 4096, (16, 16)).astype(np.uint16))
    pixels = rng.integers(0, 256, (16, 16), dtype=np.uint8)
    save_image(tmp_path / "a/plain.png", pixels)
    split = data.load_images(root, test_share=0)
    row = next(i for i in range(11) if split.labelled.name(i).endswith("plain.png"))
    assert np.array_equal(split.labelled.fetch([row])[0, 0], pixels)
    assert describe_range(None) == ""


def deep_png(pixels):
    """A PNG of 16 bits a channel, which Pillow cannot write; uint16 [H, W, 3]."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("high", [4096, 65_536])
def test_colours_of_12_bits_in_16_are_refused_and_full_ones_read(tmp_path, rng, high):
    for name in "abcdef":
        file = tmp_path / "xy"[name < "d"] / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, high, (16, 16, 3)).astype(np.uint16)
        file.write_bytes(deep_png(pixels))
    if high == 4096:
        assert_loading_refused(
            "other images of 16 bits a channel do not fill them, and would be read as at most 15 of 255", tmp_path
        )
    else:
        images = data.load_images(str(tmp_path)).labelled
        row = next(i for i in range(6) if images.name(i).endswith("f.png"))
        assert np.array_equal(images.fetch([row])[0], (pixels >> 8).transpose(2, 0, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_name(tmp_path, rng, value):
    root = write_set(tmp_path, rng, lambda rng: rng.uniform(0, 1, (16, 16)).astype(np.float32))
    pixels = np.full((16, 16), 0.5, np.float32)
    pixels[3, 3] = value
    save_image(tmp_path / "a/bad.tif", pixels)
    assert "a/bad.tif (it has NaN or infinite values)" in assert_loading_refused("1 of 11 images cannot be read", root)
