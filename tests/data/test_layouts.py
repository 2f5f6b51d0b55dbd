"""Each layout that people use, by what comes out of it."""

import os

import pytest
from helpers.image_files import assert_loading_refused, image_names, save_image
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.images.paths import list_images
from caudex.data.layouts import find_layout
from caudex.data.text.labelled_texts import load_labelled_texts


def write_images(root, rng, *folders):
    for folder in folders:
        for i in range(2):
            save_image(root / folder / f"{i}.png", rng.integers(0, 256, (8, 8), dtype="uint8"))
    return root


LAYOUTS = [
    # folders with images; labelled; unlabelled; test
    ("cat dog", "cat dog", "", ""),
    ("cat dog unlabelled", "cat dog", "unlabelled", ""),
    ("Labelled/cat Labelled/dog Unlabelled", "Labelled/cat Labelled/dog", "Unlabelled", ""),
    ("LABELED/cat LABELED/dog UnLabeled/deep", "LABELED/cat LABELED/dog", "UnLabeled/deep", ""),
    ("labelled/cat labelled/dog test/cat", "labelled/cat labelled/dog", "", "test/cat"),
    ("labelled/train labelled/val", "labelled/train labelled/val", "", ""),
    ("cat dog test/cat test/dog", "cat dog", "", "test/cat test/dog"),
    ("cat dog val/cat val/dog", "cat dog", "", "val/cat val/dog"),
    ("cat dog val/1 val/2", "cat dog val/1 val/2", "", ""),
    ("train/cat train/dog", "train/cat train/dog", "", ""),
    ("train/cat train/dog val/cat val/dog", "train/cat train/dog", "", "val/cat val/dog"),
    ("Train/cat Train/dog Valid/cat Valid/dog", "Train/cat Train/dog", "", "Valid/cat Valid/dog"),
    ("Training/cat Training/dog Testing/cat", "Training/cat Training/dog", "", "Testing/cat"),
    ("train/cat train/dog validation/cat test/cat", "train/cat train/dog", "", "test/cat"),
    ("train/cat train/dog test/dog unlabelled/a", "train/cat train/dog", "unlabelled/a", "test/dog"),
    (
        "train/labelled/a train/labelled/b train/unlabelled test/a",
        "train/labelled/a train/labelled/b",
        "train/unlabelled",
        "test/a",
    ),
    ("plane train car", "car plane train", "", ""),
    ("bus train/1 train/2 test/bus test/train", "bus train/1 train/2", "", "test/bus test/train"),
    ("cat/1 cat/2 dog/2 dog/3", "cat/1 cat/2 dog/2 dog/3", "", ""),
]


@pytest.mark.parametrize("folders, labelled, unlabelled, test", LAYOUTS)
def test_a_layout_is_read_as_its_author_meant(tmp_path, rng, folders, labelled, unlabelled, test):
    write_images(tmp_path, rng, *folders.split())
    split = data.load_images(str(tmp_path), test_share=0)
    for part, expected in {"labelled": labelled, "unlabelled": unlabelled, "test": test}.items():
        names = {name.removeprefix(f"{tmp_path}/").rsplit("/", 1)[0] for name in image_names(getattr(split, part))}
        assert names == set(expected.split()), part


@given(some.sampled_from(["labelled", "unlabelled", "train", "test", "val"]), some.data())
@settings(max_examples=30, deadline=None)
def test_the_case_of_a_folder_says_nothing(tmp_path_factory, name, draw):
    upper = draw.draw(some.lists(some.booleans(), min_size=len(name), max_size=len(name)))
    root = tmp_path_factory.mktemp("root")
    written = "".join(letter.upper() if up else letter for letter, up in zip(name, upper))
    beside = {"train": ["val"], "val": ["train"], "labelled": [], "unlabelled": ["a", "b"], "test": ["train"]}[name]
    for folder in (written, *beside):
        for label in ("a", "b"):
            (root / folder / label).mkdir(parents=True)
    layout = find_layout(root, list_images)
    assert layout.classes == ["a", "b"]
    assert written in {"labelled": layout.class_root, "unlabelled": layout.unlabelled, "train": layout.class_root}.get(
        name, layout.test
    )


def test_what_is_ambiguous_is_refused_with_the_way_out(tmp_path, rng):
    write_images(tmp_path, rng, "site1/cat", "site1/dog", "site2/cat", "site2/dog", "site2/emu")
    sentence = assert_loading_refused(
        "has the same folders (cat, dog) in each of site1, site2: which are the classes?", tmp_path
    )
    assert f"If site1, site2 are, move them into {tmp_path / 'labelled'}" in sentence
    split = data.load_images(str(tmp_path), need_labels=False)
    assert len(split.train) == 10 and split.notes[0].endswith("Here all are unlabelled.")
    write_images(tmp_path / "flat", rng, "train", "val")
    assert_loading_refused(
        "has no class folders in train and val, so that nothing says what is what", tmp_path / "flat"
    )
    assert len(data.load_images(str(tmp_path / "flat"), need_labels=False).train) == 4
    write_images(tmp_path / "twice", rng, "train/a", "train/b", "Train/a", "Train/b")
    assert_loading_refused("has Train and train, which mean the same", tmp_path / "twice")


def test_folders_that_are_not_read_are_listed(tmp_path, rng):
    write_images(tmp_path, rng, "train/a", "train/b", "val/a", "test/b", "more/a")
    skipped = dict(data.load_images(str(tmp_path)).skipped)
    assert skipped[f"{tmp_path / 'val'}/"] == "not used: test is the test"
    assert skipped[f"{tmp_path / 'more'}/"] == "not used: it stands beside train, which has the classes"


def test_a_set_in_a_folder_of_its_own_is_shown_and_what_macos_packs_is_passed_over(tmp_path, rng):
    write_images(tmp_path, rng, "set/photos/cat", "set/photos/dog", "set/__MACOSX/photos/cat", "set/photos/__MACOSX")
    sentence = f"{tmp_path}/set/photos looks like the set: --data {tmp_path}/set/photos."
    assert assert_loading_refused("one class, 'photos'", tmp_path / "set").endswith(sentence)
    assert assert_loading_refused("one class, 'set'", tmp_path).endswith(sentence)
    assert sentence in data.load_images(str(tmp_path), need_labels=False).notes
    split = data.load_images(str(tmp_path / "set/photos"))
    assert split.labelled.classes == ("cat", "dog") and split.notes == []
    for label in ("pos", "neg"):
        (tmp_path / "texts/reviews" / label).mkdir(parents=True)
        (tmp_path / "texts/reviews" / label / "0.txt").write_text(label)
    with pytest.raises(CaudexError, match=r"texts/reviews looks like the set: --data .*texts/reviews\.$"):
        load_labelled_texts(str(tmp_path / "texts"))


@pytest.mark.parametrize("name", ["unlabeled_images", "Unlabelled-photos", "unsorted", "no_label", "uncategorised"])
def test_a_class_that_is_called_as_what_has_none_gets_a_hint(tmp_path, rng, name):
    write_images(tmp_path, rng, "cat", "dog", name)
    split = data.load_images(str(tmp_path))
    assert split.notes == [f"{name!r} is read as a class; if nothing in it has a label, call the folder unlabelled"]


def test_texts_come_in_the_same_layouts(tmp_path):
    for part, count in (("train", 3), ("test", 2)):
        for label in ("pos", "neg"):
            (tmp_path / part / label).mkdir(parents=True)
            for i in range(count):
                (tmp_path / part / label / f"{i}.txt").write_text(f"{part} {label} {i}")
    texts = load_labelled_texts(str(tmp_path))
    assert texts.classes == texts.test.classes == ("neg", "pos")
    assert (
        texts.texts[:3] == ["train neg 0", "train neg 1", "train neg 2"] and texts.labels.tolist() == [0] * 3 + [1] * 3
    )
    assert texts.test.texts == ["test neg 0", "test neg 1", "test pos 0", "test pos 1"]
    (tmp_path / "test/other").mkdir()
    (tmp_path / "test/other/0.txt").write_text("other")
    with pytest.raises(CaudexError, match=r"has a class 'other' in its test"):
        load_labelled_texts(str(tmp_path))


def test_names_that_unicode_composes_in_two_ways_are_one_class(tmp_path, rng):
    write_images(tmp_path, rng, "caf\u00e9", "cafe\u0301", "tea", "test/cafe\u0301")
    split = data.load_images(str(tmp_path))
    assert split.labelled.classes == ("caf\u00e9", "tea")
    assert split.labelled.labels.tolist() == [0] * 4 + [1] * 2 and split.test.labels.tolist() == [0, 0]


def test_a_class_folder_of_invalid_utf8_has_a_name_that_can_be_kept(tmp_path, rng):
    write_images(tmp_path, rng, "a", os.fsdecode(b"\xff"), os.fsdecode(b"\xfe"))
    classes = data.load_images(str(tmp_path)).labelled.classes
    assert classes == (r"\xfe", r"\xff", "a") and "".join(classes).encode()
