"""Folders of images: class folders, what is held out, and each bad folder with its sentence."""

import numpy as np
import pytest
from helpers.image_files import assert_loading_refused, image_names, save_image, write_noise_images
from PIL import Image

from caudex import data


def test_a_folder_of_labelled_unlabelled_and_test(tmp_path, rng):
    root = write_noise_images(tmp_path / "photos", rng, {"dog": 3, "cat": 2}, unlabelled=4, test={"cat": 1, "dog": 2})
    split = data.load_images(f"{root}/", size=8)
    assert split.labelled.classes == ("cat", "dog")
    assert split.labelled.labels.tolist() == [0, 0, 1, 1, 1]
    assert image_names(split.labelled)[0] == str(root / "labelled/cat/000.png")
    assert (len(split.unlabelled), split.unlabelled.labels.unique().tolist()) == (4, [-1])
    assert split.test.labels.tolist() == [0, 1, 1]
    assert split.skipped == []
    image = np.asarray(Image.open(root / "test/dog/001.png"))
    assert np.array_equal(split.test.fetch([2])[0, 0], image)


def test_a_fifth_of_the_labelled_is_held_out_where_each_class_has_five(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"cat": 5, "dog": 20})
    split = data.load_images(str(root))
    assert split.test.labels.bincount().tolist() == [1, 4]
    assert split.labelled.labels.bincount().tolist() == [4, 16]
    assert image_names(split.test) != image_names(data.load_images(str(root), seed=1).test)
    assert len(data.load_images(str(root), test_share=0).test) == 0
    write_noise_images(tmp_path, rng, {"emu": 4})
    assert len(data.load_images(str(root)).test) == 0


def test_class_folders_alone_are_labelled_and_labels_can_be_put_away(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"a": 10, "b": 10})
    split = data.load_images(str(root / "labelled"), labels_per_class=2, seed=3)
    assert (len(split.labelled), len(split.unlabelled), len(split.test)) == (4, 12, 4)
    assert split.unlabelled.labels.tolist() == [-1] * 12
    assert split.unlabelled.hidden_labels.bincount().tolist() == [6, 6]


def test_what_is_hidden_or_no_image_is_passed_over(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"a": 1, "b": 1}, unlabelled=1)
    for name in ("labelled/notes.txt", "labelled/a/.DS_Store", "unlabelled/Thumbs.db", "unlabelled/._000.png"):
        (root / name).write_text("no image")
    (root / "labelled/.git").mkdir()
    split = data.load_images(str(root))
    assert (len(split.labelled), len(split.unlabelled), split.skipped) == (2, 1, [])


def test_loops_of_links_end_and_links_to_folders_are_followed(tmp_path, rng):
    root = write_noise_images(tmp_path / "photos", rng, {"a": 1, "b": 1}, unlabelled=2)
    save_image(tmp_path / "elsewhere/deep/x.PNG", rng.integers(0, 256, (8, 8), dtype=np.uint8))
    (root / "unlabelled/loop").symlink_to(root / "unlabelled")
    (root / "unlabelled/more").symlink_to(tmp_path / "elsewhere")
    (root / "unlabelled/broken.png").symlink_to(tmp_path / "none.png")
    assert len(data.load_images(str(root)).unlabelled) == 3


@pytest.mark.parametrize(
    "labelled, unlabelled, words",
    [
        ({"cat": 2}, 1, "labelled has one class, 'cat'; a classifier needs two. Add a folder"),
        ({}, 3, "has images but no labels"),
    ],
)
def test_too_few_classes(tmp_path, rng, labelled, unlabelled, words):
    assert_loading_refused(words, write_noise_images(tmp_path, rng, labelled, unlabelled))


def test_folders_from_which_nothing_can_be_learned(tmp_path, rng):
    assert_loading_refused("is not there", tmp_path / "none")
    assert_loading_refused("has no image", tmp_path)
    root = write_noise_images(tmp_path, rng, {"cat": 2, "dog": 2})
    (root / "labelled/emu").mkdir()
    assert_loading_refused("labelled/emu has no image", root)
    (root / "labelled/emu").rmdir()
    save_image(root / "labelled/stray.png", rng.integers(0, 256, (8, 8), dtype=np.uint8))
    assert_loading_refused("1 image outside a class folder, the first is stray.png", root)
    (root / "labelled/stray.png").unlink()
    write_noise_images(root, rng, test={"emu": 1})
    assert_loading_refused("a class 'emu' that", root)


def test_more_labels_than_a_class_has(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"cat": 4, "dog": 9})
    assert_loading_refused("class 'cat' has 4 labelled", root, labels_per_class=5)
    assert_loading_refused("0 labels a class", root, labels_per_class=0)
    assert_loading_refused("-1 labels a class", "digits", labels_per_class=-1)
    assert len(data.load_images(str(root), labels_per_class=4).labelled) == 8


def test_settings_out_of_range():
    assert_loading_refused("size of 2", "digits", size=2)
    assert_loading_refused("size of -8", "digits", size=-8)
    assert_loading_refused("share of 1.0", "digits", test_share=1.0)
    assert_loading_refused("share of nan", "digits", test_share=float("nan"))


def test_an_unknown_word_is_met_with_the_nearest(tmp_path):
    assert assert_loading_refused("Did you mean digits?", "digitz") == (
        "'digitz' is neither a folder of images, an .npz or a .csv nor a packaged set. Did you mean digits? "
        "Known: digits, patches, fashion-mnist, mnist, font-digits, random-font-digits, hf:NAME."
    )
    assert_loading_refused("Known: digits", "qwerty")
    (tmp_path / "notes.txt").write_text("hello")
    assert_loading_refused("is not a folder of images, an .npz or a .csv.", tmp_path / "notes.txt")
    assert_loading_refused("not a folder", "digits", labels="few.csv")
