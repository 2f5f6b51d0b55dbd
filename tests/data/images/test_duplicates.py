"""No image of the test is trained on."""

import pytest
from helpers.image_files import assert_loading_refused, write_noise_images
from PIL import Image

from caudex import data
from caudex.data.images import stores


def test_a_labelled_image_in_the_test_folder_is_refused(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"a": 3, "b": 3}, test={"a": 2, "b": 2})
    twin = root / "test/b/twin.bmp"
    Image.open(root / "labelled/a/001.png").save(twin)  # the same pixels in another format
    message = assert_loading_refused("1 labelled images also stand in the test", root)
    assert str(twin) in message
    assert str(root / "labelled/a/001.png") in message


@pytest.mark.parametrize("limit", [10**9, 10])
def test_an_unlabelled_image_of_the_test_is_dropped_and_reported(tmp_path, rng, monkeypatch, limit):
    monkeypatch.setattr(stores, "MEMORY_LIMIT", limit)
    root = write_noise_images(tmp_path, rng, {"a": 3, "b": 3}, unlabelled=4, test={"a": 2, "b": 2})
    (root / "unlabelled/copy.png").write_bytes((root / "test/a/000.png").read_bytes())
    split = data.load_images(str(root))
    assert len(split.unlabelled) == 4
    assert split.skipped == [(str(root / "unlabelled/copy.png"), f"also in the test, as {root / 'test/a/000.png'}")]


def test_twins_of_a_held_out_image_leave_the_training(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"a": 10, "b": 10})
    for path in (root / "labelled").rglob("*.png"):
        path.with_name(f"twin-{path.name}").write_bytes(path.read_bytes())
    split = data.load_images(str(root), test_share=0.2)
    assert len(split.test) == 8
    assert not set(split.test.hashes()) & set(split.labelled.hashes())
    assert len(split.labelled) + len(split.test) + len(split.skipped) == 40
