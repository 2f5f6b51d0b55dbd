"""Images by their spec: packaged ones, files to predict, and what importing costs."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.image_files import assert_loading_refused, image_names, save_image, write_noise_images

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.images import arrays
from caudex.data.images.decode import ImageFormat, decode_image

# -- digits, Fashion-MNIST, draws ----------------------------------------------------------------------------------


def test_digits_have_a_fixed_test_and_hide_the_labels_that_were_not_drawn():
    one, other = (data.load_images("digits", labels_per_class=10, size=8, seed=seed) for seed in (0, 1))
    assert (len(one.labelled), len(one.unlabelled), len(one.test)) == (100, 1247, 450)
    assert one.labelled.shape == (1, 8, 8)
    assert image_names(one.test) == image_names(other.test)
    assert image_names(one.labelled) != image_names(other.labelled)
    assert one.labelled.labels.bincount().tolist() == [10] * 10
    assert one.unlabelled.labels.unique().tolist() == [-1]
    assert not set(image_names(one.labelled)) & set(image_names(one.test))
    assert not set(image_names(one.unlabelled)) & set(image_names(one.labelled) + image_names(one.test))
    number = int(one.unlabelled.name(3).split("/")[1])
    from sklearn.datasets import load_digits

    assert one.unlabelled.hidden_labels[3] == load_digits().target[number]
    scaled = (load_digits().images[number] * 255 / 16).round()
    assert torch.equal(one.unlabelled.fetch([3])[0, 0], torch.from_numpy(scaled).byte())


def test_fashion_mnist_has_its_official_test_first_image_an_ankle_boot():
    split = data.load_images("fashion-mnist", labels_per_class=40)
    assert (len(split.labelled), len(split.unlabelled), len(split.test)) == (400, 59_600, 10_000)
    assert split.test.classes[split.test.labels[0]] == "Ankle boot"
    assert split.test.name(0) == "fashion-mnist/test-0"
    assert split.test.shape == (1, 28, 28)


def test_a_missing_fashion_mnist_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(arrays, "FASHION", tmp_path / "none")
    assert_loading_refused("apt install dataset-fashion-mnist", "fashion-mnist")


def test_tiny_images_are_enlarged_whole(tmp_path, rng):
    assert data.load_images("digits").test.shape == (1, 16, 16)
    np.savez(tmp_path / "wide.npz", x=rng.integers(0, 256, (4, 8, 12), dtype=np.uint8), y=[0, 1, 0, 1])
    assert data.load_images(str(tmp_path / "wide.npz")).labelled.shape == (1, 16, 24)
    root = write_noise_images(tmp_path / "photos", rng, {"cat": 2, "dog": 2})
    assert data.load_images(str(root)).labelled.shape == (1, 16, 16)


# -- predict -------------------------------------------------------------------------------------------------------


def test_read_takes_files_and_folders_in_order(tmp_path, rng):
    colour = rng.integers(0, 256, (30, 20, 3), dtype=np.uint8)
    first, last = save_image(tmp_path / "z.png", colour), save_image(tmp_path / "more/deep/b.png", colour)
    (tmp_path / "more/a.png").write_text("hello")
    given = [str(first), str(tmp_path / "more")]
    assert data.image_files(given) == ([str(first), str(tmp_path / "more/a.png"), str(last)], [])
    pixels, _, skipped = data.read_images(given, ImageFormat((1, 8, 8)))
    assert pixels.shape == (2, 1, 8, 8)
    assert torch.equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[0], decode_image(str(first), ImageFormat((1, 8, 8))))
    assert skipped == [(str(tmp_path / "more/a.png"), "not an image")]


def test_read_refuses_what_is_not_there(tmp_path):
    with pytest.raises(CaudexError, match=r"none\.png is not there"):
        data.read_images([str(tmp_path / "none.png")], ImageFormat((1, 8, 8)))
    with pytest.raises(CaudexError, match="has no image"):
        data.read_images([str(tmp_path)], ImageFormat((1, 8, 8)))


# -- cost ----------------------------------------------------------------------------------------------------------


def test_importing_is_light():
    heavy = ("sklearn", "datasets", "rich", "torchvision", "pillow_heif")
    code = f"import sys, caudex.data; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
