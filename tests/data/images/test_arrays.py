"""Arrays of images: IDX and npz files."""

import gzip
import struct

import numpy as np
import pytest
from helpers.image_files import assert_loading_refused, image_names

from caudex import data

# -- digits, Fashion-MNIST, draws ----------------------------------------------------------------------------------


def test_arrays_are_resized_when_asked():
    split = data.load_images("digits", size=12)
    assert split.labelled.shape == split.test.shape == (1, 12, 12)


# -- arrays --------------------------------------------------------------------------------------------------------


def idx_bytes(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def test_a_folder_of_idx_files_packed_and_not(tmp_path, rng):
    pixels, labels = rng.integers(0, 256, (12, 6, 6), dtype=np.uint8), np.array([3, 7] * 6, dtype=np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(pixels[:8]))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels[:8])))
    assert len(data.load_images(str(tmp_path), test_share=0).labelled) == 8
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels[8:])))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels[8:]))
    split = data.load_images(str(tmp_path), size=6)
    assert split.labelled.classes == ("3", "7")
    assert np.array_equal(split.test.fetch(slice(None))[:, 0], pixels[8:])
    assert split.test.labels.tolist() == [0, 1, 0, 1]
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels[8:])[:-1])
    assert_loading_refused("t10k-labels-idx1-ubyte is not a whole idx file", tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels))[:-30])
    assert_loading_refused("t10k-images-idx3-ubyte.gz is not a whole idx file", tmp_path)


@pytest.mark.parametrize(
    "x, y", [("x", "y"), ("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels")]
)
def test_npz_with_unlabelled_and_test(tmp_path, rng, x, y):
    pixels = rng.integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
    test = {"x_test": pixels[6:], "y_test": np.array([[0], [2], [2], [0]])}
    np.savez(tmp_path / "set.npz", **{x: pixels[:6], y: np.array([2, 0, -1, -1, 0, 2])}, **test)
    split = data.load_images(str(tmp_path / "set.npz"), size=8)
    assert split.labelled.labels.tolist() == [1, 0, 0, 1]
    assert split.labelled.classes == ("0", "2")
    assert image_names(split.unlabelled) == ["set.npz/2", "set.npz/3"]
    assert np.array_equal(split.test.fetch([0])[0], pixels[6].transpose(2, 0, 1))


def test_npz_with_words_and_with_class_names(tmp_path, rng):
    pixels = rng.integers(0, 256, (4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "words.npz", x=pixels, y=np.array(["dog", "", "cat", "dog"]))
    split = data.load_images(str(tmp_path / "words.npz"))
    assert (split.labelled.classes, split.labelled.labels.tolist()) == (("cat", "dog"), [1, 0, 1])
    np.savez(tmp_path / "named.npz", x=pixels, y=np.array([0, 1, 1, -1]), classes=np.array(["zebra", "ant"]))
    assert data.load_images(str(tmp_path / "named.npz")).labelled.classes == ("zebra", "ant")
    np.savez(tmp_path / "named.npz", x=pixels, y=np.array([0, 1, 2, -1]), classes=np.array(["zebra", "ant"]))
    assert_loading_refused("a label 2, but", tmp_path / "named.npz")


def test_npz_that_are_refused(tmp_path, rng):
    x, y, path = rng.integers(0, 256, (4, 8, 8), dtype=np.uint8), np.array([0, 1, 0, 1]), tmp_path / "a.npz"

    def with_arrays(words, **given):
        np.savez(path, **given)
        assert_loading_refused(words, path)

    with_arrays("has the arrays a, b", a=x, b=y)
    with_arrays("x is float64, images are uint8", x=x / 255, y=y)
    with_arrays("x is [4, 8]", x=x[:, 0], y=y)
    with_arrays("x is [4, 3, 8]", x=x[:, :3], y=y)
    with_arrays("x has 4 images but y 3 labels", x=x, y=y[:3])
    with_arrays("y is float64", x=x, y=y / 1)
    with_arrays("one class, '1'", x=x, y=y * 0 + 1)
    with_arrays("No image is labelled", x=x, y=y * 0 - 1)
    with_arrays("is not a readable .npz", x=x, y=np.array([0, 1, 2, None], dtype=object))
    with_arrays("y_test has images without a label", x=x, y=y, x_test=x, y_test=y - 1)
    path.write_bytes(b"PK\3\4 nonsense")
    assert_loading_refused("is not a readable .npz", path)
    path.write_bytes(b"")
    assert_loading_refused("is not a readable .npz", path)
