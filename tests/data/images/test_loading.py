"""Images from every format, each rule with a known answer; and each bad input with its sentence."""

import gzip
import io
import os
import pickle
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image
from pytest import approx

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.images import arrays, hub, loading
from caudex.data.images.decode import decode, share_cut
from caudex.data.images.paths import Paths, below
from caudex.data.images.splits import per_class, shares, stratified


@pytest.fixture
def noise():
    return np.random.default_rng(0)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def photos(root, noise, labelled=None, unlabelled=0, test=None, size=8):
    """photos/labelled/<class>/i.png, photos/unlabelled/i.png, photos/test/<class>/i.png, all different, grey."""
    for part, classes in (("labelled", labelled or {}), ("test", test or {})):
        for name, count in classes.items():
            for i in range(count):
                save(root / part / name / f"{i:03}.png", noise.integers(0, 256, (size, size), dtype=np.uint8))
    for i in range(unlabelled):
        save(root / "unlabelled" / f"{i:03}.png", noise.integers(0, 256, (size, size), dtype=np.uint8))
    return root


def names(images):
    return [images.name(i) for i in range(len(images))]


def refused(words, *given, **options):
    """The sentence with which the given images are refused; it has these words and is one line."""
    with pytest.raises(CaudexError) as caught:
        data.load_images(*map(str, given), **options)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    return sentence


# --- digits, Fashion-MNIST, draws --------------------------------------------------------------------------------


def test_digits_have_a_fixed_test_and_hide_the_labels_that_were_not_drawn():
    one, other = (data.load_images("digits", labels_per_class=10, size=8, seed=seed) for seed in (0, 1))
    assert (len(one.labelled), len(one.unlabelled), len(one.test)) == (100, 1247, 450)
    assert one.labelled.shape == (1, 8, 8)
    assert names(one.test) == names(other.test)
    assert names(one.labelled) != names(other.labelled)
    assert one.labelled.labels.bincount().tolist() == [10] * 10
    assert one.unlabelled.labels.unique().tolist() == [-1]
    assert not set(names(one.labelled)) & set(names(one.test))
    assert not set(names(one.unlabelled)) & set(names(one.labelled) + names(one.test))
    number = int(one.unlabelled.name(3).split("/")[1])
    from sklearn.datasets import load_digits

    assert one.unlabelled.hidden[3] == load_digits().target[number]
    scaled = (load_digits().images[number] * 255 / 16).round()
    assert torch.equal(one.unlabelled.fetch([3])[0, 0], torch.from_numpy(scaled).byte())


def test_a_draw_of_few_lies_within_the_draw_of_more():
    four, ten = (set(names(data.load_images("digits", labels_per_class=n, seed=5).labelled)) for n in (4, 10))
    assert four < ten


def test_all_labels_are_kept_unless_told_otherwise():
    split = data.load_images("digits")
    assert (len(split.labelled), len(split.unlabelled)) == (1347, 0)


@given(
    some.lists(some.integers(-1, 3), min_size=20, max_size=60), some.lists(some.integers(0, 3), min_size=4, max_size=4)
)
def test_a_stratified_draw_has_the_counts_asked_for(labels, wanted):
    labels = torch.tensor(labels)
    wanted = [min(each, count) for each, count in zip(wanted, per_class(labels, "abcd"))]
    rows = stratified(labels, wanted, 0, "test")
    assert per_class(labels[rows], "abcd") == wanted
    assert torch.equal(rows, rows.unique())


@given(some.lists(some.integers(1, 1000), min_size=1, max_size=20), some.floats(0, 1))
def test_shares_sum_to_the_total_and_are_proportional(counts, share):
    total = round(sum(counts) * share)
    parts = shares(counts, total)
    assert sum(parts) == total
    assert all(abs(part - count * total / sum(counts)) < 1 for part, count in zip(parts, counts))


def test_fashion_mnist_has_its_official_test_first_picture_an_ankle_boot():
    split = data.load_images("fashion-mnist", labels_per_class=40)
    assert (len(split.labelled), len(split.unlabelled), len(split.test)) == (400, 59_600, 10_000)
    assert split.test.classes[split.test.labels[0]] == "Ankle boot"
    assert split.test.name(0) == "fashion-mnist/test-0"
    assert split.test.shape == (1, 28, 28)


def test_a_missing_fashion_mnist_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(arrays, "FASHION", tmp_path / "none")
    refused("apt install dataset-fashion-mnist", "fashion-mnist")


def test_arrays_are_resized_when_asked():
    split = data.load_images("digits", size=12)
    assert split.labelled.shape == split.test.shape == (1, 12, 12)


def test_tiny_pictures_are_enlarged_whole(tmp_path, noise):
    assert data.load_images("digits").test.shape == (1, 16, 16)
    np.savez(tmp_path / "wide.npz", x=noise.integers(0, 256, (4, 8, 12), dtype=np.uint8), y=[0, 1, 0, 1])
    assert data.load_images(str(tmp_path / "wide.npz")).labelled.shape == (1, 16, 24)
    root = photos(tmp_path / "photos", noise, {"cat": 2, "dog": 2})
    assert data.load_images(str(root)).labelled.shape == (1, 16, 16)


# --- taking parts ------------------------------------------------------------------------------------------------


@given(some.data())
@settings(max_examples=30, deadline=None)
def test_a_part_of_a_part_is_the_part_and_copies_nothing(draw):
    store = data.InMemoryImages(torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1), [f"p{i}" for i in range(20)])
    whole = data.ImageSet(store, torch.arange(20) % 3, ("a", "b", "c"), {"size": (torch.arange(20) % 2, ("s", "l"))})
    first = draw.draw(some.lists(some.integers(0, 19), min_size=1, max_size=30))
    second = draw.draw(some.lists(some.integers(0, len(first) - 1), max_size=30))
    part = whole.take(first).take(second)
    truth = [first[i] for i in second]
    assert part.store is store
    assert part.fetch(slice(None)).flatten().tolist() == truth
    assert names(part) == [f"p{i}" for i in truth]
    assert part.labels.tolist() == [i % 3 for i in truth]
    assert part.columns["size"][0].tolist() == [i % 2 for i in truth]
    assert (part.in_memory, len(part), part.shape) == (True, len(truth), (1, 1, 1))
    assert part.readable(slice(None)).all()


def test_equal_pictures_have_equal_hashes():
    pixels = torch.tensor([1, 2, 1], dtype=torch.uint8).view(3, 1, 1, 1)
    one, other, same = data.ImageSet(data.InMemoryImages(pixels, "abc"), torch.zeros(3), ("a",)).hashes()
    assert one == same != other


# --- folders -----------------------------------------------------------------------------------------------------


def test_a_folder_of_labelled_unlabelled_and_test(tmp_path, noise):
    root = photos(tmp_path / "photos", noise, {"dog": 3, "cat": 2}, unlabelled=4, test={"cat": 1, "dog": 2})
    split = data.load_images(f"{root}/", size=8)
    assert split.labelled.classes == ("cat", "dog")
    assert split.labelled.labels.tolist() == [0, 0, 1, 1, 1]
    assert names(split.labelled)[0] == str(root / "labelled/cat/000.png")
    assert (len(split.unlabelled), split.unlabelled.labels.unique().tolist()) == (4, [-1])
    assert split.test.labels.tolist() == [0, 1, 1]
    assert split.skipped == []
    image = np.asarray(Image.open(root / "test/dog/001.png"))
    assert np.array_equal(split.test.fetch([2])[0, 0], image)


def test_a_fifth_of_the_labelled_is_held_out_where_each_class_has_five(tmp_path, noise):
    root = photos(tmp_path, noise, {"cat": 5, "dog": 20})
    split = data.load_images(str(root))
    assert split.test.labels.bincount().tolist() == [1, 4]
    assert split.labelled.labels.bincount().tolist() == [4, 16]
    assert names(split.test) != names(data.load_images(str(root), seed=1).test)
    assert len(data.load_images(str(root), test_share=0).test) == 0
    photos(tmp_path, noise, {"emu": 4})
    assert len(data.load_images(str(root)).test) == 0


def test_class_folders_alone_are_labelled_and_labels_can_be_put_away(tmp_path, noise):
    root = photos(tmp_path, noise, {"a": 10, "b": 10})
    split = data.load_images(str(root / "labelled"), labels_per_class=2, seed=3)
    assert (len(split.labelled), len(split.unlabelled), len(split.test)) == (4, 12, 4)
    assert split.unlabelled.labels.tolist() == [-1] * 12
    assert split.unlabelled.hidden.bincount().tolist() == [6, 6]


def test_what_is_hidden_or_no_picture_is_passed_over(tmp_path, noise):
    root = photos(tmp_path, noise, {"a": 1, "b": 1}, unlabelled=1)
    for name in ("labelled/notes.txt", "labelled/a/.DS_Store", "unlabelled/Thumbs.db", "unlabelled/._000.png"):
        (root / name).write_text("no image")
    (root / "labelled/.git").mkdir()
    split = data.load_images(str(root))
    assert (len(split.labelled), len(split.unlabelled), split.skipped) == (2, 1, [])


def test_loops_of_links_end_and_links_to_folders_are_followed(tmp_path, noise):
    root = photos(tmp_path / "photos", noise, {"a": 1, "b": 1}, unlabelled=2)
    save(tmp_path / "elsewhere/deep/x.PNG", noise.integers(0, 256, (8, 8), dtype=np.uint8))
    (root / "unlabelled/loop").symlink_to(root / "unlabelled")
    (root / "unlabelled/more").symlink_to(tmp_path / "elsewhere")
    (root / "unlabelled/broken.png").symlink_to(tmp_path / "none.png")
    assert len(data.load_images(str(root)).unlabelled) == 3


@given(some.lists(some.binary(min_size=1).filter(lambda name: b"/" not in name and b"\0" not in name)))
def test_paths_come_out_as_they_went_in(given):
    paths = Paths("/root")
    assert paths.add(given) == len(paths) == len(given)
    assert [os.fsencode(paths.open(i)) for i in range(len(given))] == [b"/root/" + name for name in given]
    assert all(paths[i].encode() for i in range(len(given)))


def test_names_that_are_not_utf8_are_read(tmp_path, noise):
    root = photos(tmp_path, noise, {"a": 2, "b": 2})
    (root / "labelled/a/000.png").rename(root / "labelled/a" / os.fsdecode(b"\xff.png"))
    split = data.load_images(str(root))
    assert len(split.labelled) == 4
    assert "\N{REPLACEMENT CHARACTER}.png" in names(split.labelled)[1]


@pytest.mark.parametrize(
    "labelled, unlabelled, words",
    [
        ({"cat": 2}, 1, "labelled has one class, 'cat'; a classifier needs two. Add a folder"),
        ({}, 3, "has images but no labels"),
    ],
)
def test_too_few_classes(tmp_path, noise, labelled, unlabelled, words):
    refused(words, photos(tmp_path, noise, labelled, unlabelled))


def test_folders_from_which_nothing_can_be_learned(tmp_path, noise):
    refused("is not there", tmp_path / "none")
    refused("has no image", tmp_path)
    root = photos(tmp_path, noise, {"cat": 2, "dog": 2})
    (root / "labelled/emu").mkdir()
    refused("labelled/emu has no image", root)
    (root / "labelled/emu").rmdir()
    save(root / "labelled/stray.png", noise.integers(0, 256, (8, 8), dtype=np.uint8))
    refused("1 images outside a class folder, the first is stray.png", root)
    (root / "labelled/stray.png").unlink()
    photos(root, noise, test={"emu": 1})
    refused("a class 'emu' that", root)


def test_more_labels_than_a_class_has(tmp_path, noise):
    root = photos(tmp_path, noise, {"cat": 4, "dog": 9})
    refused("class 'cat' has 4 labelled", root, labels_per_class=5)
    refused("0 labels a class", root, labels_per_class=0)
    refused("-1 labels a class", "digits", labels_per_class=-1)
    assert len(data.load_images(str(root), labels_per_class=4).labelled) == 8


def test_settings_out_of_range():
    refused("size of 2", "digits", size=2)
    refused("size of -8", "digits", size=-8)
    refused("share of 1.0", "digits", test_share=1.0)
    refused("share of nan", "digits", test_share=float("nan"))


def test_an_unknown_word_is_met_with_the_nearest(tmp_path):
    said = refused("did you mean digits?", "digitz")
    assert said == "'digitz' is neither a folder nor a known set; did you mean digits? known: " + (
        "digits, patches, fashion-mnist, hf:NAME."
    )
    refused("known: digits", "qwerty")
    (tmp_path / "notes.txt").write_text("hello")
    refused("neither a folder, nor an .npz, nor a .csv", tmp_path / "notes.txt")
    refused("not a folder", "digits", labels="few.csv")


# --- leaks -------------------------------------------------------------------------------------------------------


def test_a_labelled_picture_in_the_test_folder_is_refused(tmp_path, noise):
    root = photos(tmp_path, noise, {"a": 3, "b": 3}, test={"a": 2, "b": 2})
    twin = root / "test/b/twin.bmp"
    Image.open(root / "labelled/a/001.png").save(twin)  # the same pixels in another format
    said = refused("1 labelled images also stand in the test", root)
    assert str(twin) in said
    assert str(root / "labelled/a/001.png") in said


@pytest.mark.parametrize("limit", [10**9, 10])
def test_an_unlabelled_picture_of_the_test_is_dropped_and_told(tmp_path, noise, monkeypatch, limit):
    monkeypatch.setattr(loading, "MEMORY_LIMIT", limit)
    root = photos(tmp_path, noise, {"a": 3, "b": 3}, unlabelled=4, test={"a": 2, "b": 2})
    (root / "unlabelled/copy.png").write_bytes((root / "test/a/000.png").read_bytes())
    split = data.load_images(str(root))
    assert len(split.unlabelled) == 4
    assert split.skipped == [(str(root / "unlabelled/copy.png"), f"also in the test, as {root / 'test/a/000.png'}")]


def test_twins_of_a_held_out_picture_leave_the_training(tmp_path, noise):
    root = photos(tmp_path, noise, {"a": 10, "b": 10})
    for path in (root / "labelled").rglob("*.png"):
        path.with_name(f"twin-{path.name}").write_bytes(path.read_bytes())
    split = data.load_images(str(root), test_share=0.2)
    assert len(split.test) == 8
    assert not set(split.test.hashes()) & set(split.labelled.hashes())
    assert len(split.labelled) + len(split.test) + len(split.skipped) == 40


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pile(tmp_path, noise):
    return photos(tmp_path / "pile", noise, unlabelled=6) / "unlabelled"


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_table_labels_some_and_the_rest_is_unlabelled(pile, tmp_path):
    few = write(tmp_path / "few.csv", "path,label\n003.png,dog\n000.png, cat\n\n./003.png,dog\n004.png,\n")
    split = data.load_images(str(pile), labels=few)
    assert split.labelled.classes == ("cat", "dog")
    assert [(name[-7:], label) for name, label in zip(names(split.labelled), split.labelled.labels.tolist())] == [
        ("000.png", 0),
        ("003.png", 1),
    ]
    assert len(split.unlabelled) == 4
    assert split.labelled.columns == {}


def test_a_table_may_lie_beside_its_pictures_or_name_others(pile, tmp_path, noise):
    save(tmp_path / "far.png", noise.integers(0, 256, (8, 8), dtype=np.uint8))
    inside = write(pile / "few.csv", f"\ufeffpath;label\n000.png;a\n001.png;b\n{tmp_path / 'far.png'};b\n")
    split = data.load_images(inside)
    assert (len(split.labelled), len(split.unlabelled)) == (3, 4)
    beside = write(tmp_path / "few.csv", f"path,label\n{pile.parent.name}/unlabelled/000.png,a\nfar.png,b\n")
    assert names(data.load_images(str(pile), labels=beside).labelled)[0] == str(pile / "000.png")


def test_several_columns_of_labels(pile, tmp_path):
    text = "species,path,colour\ncat,000.png,red\ndog,001.png,blue\ncat,002.png,\n,003.png,blue\n"
    split = data.load_images(str(pile), labels=write(tmp_path / "few.csv", text))
    assert split.labelled.classes == ("cat", "dog")
    assert split.labelled.columns["colour"][0].tolist() == [1, 0, -1]
    assert split.labelled.columns["colour"][1] == ("blue", "red")
    assert split.labelled.columns["species"][0].tolist() == [0, 1, 0]


def test_a_test_folder_beside_a_table(pile, tmp_path, noise):
    photos(pile, noise, test={"cat": 2, "dog": 1})
    few = write(tmp_path / "few.csv", "path,label,colour\n000.png,cat,red\n001.png,dog,blue\n")
    split = data.load_images(str(pile), labels=few)
    assert (len(split.labelled), len(split.unlabelled), split.test.labels.tolist()) == (2, 4, [0, 0, 1])
    few = write(tmp_path / "few.csv", "path,label\n000.png,cat\ntest/dog/000.png,dog\n")
    split = data.load_images(str(pile), labels=few)
    assert (len(split.labelled), len(split.unlabelled), len(split.test)) == (2, 7, 0)


@pytest.mark.parametrize(
    "text, words",
    [
        ("file,class\n000.png,a\n", "has the columns file, class; it needs `path`"),
        ("path\n000.png\n", "has the columns path;"),
        ("", "has the columns (none)"),
        ("path,label\n000.png,a\n001.png,b\nx.png,b\ny.png,a\n", "files that are not there (2), the first is 'x.png'"),
        ("path,label\n000.png,a\n001.png,b\n./000.png,b\n", "both 'a' and 'b' (line 4)"),
        ("path,label\n000.png,a\n001.png,b,c\n", "line 3: '001.png,b,c' does not fit"),
        ("path,label\n,a\n", "line 2"),
        ("path,label\n000.png,a\n", "one class, 'a'"),
        ("path,label\n", "no label"),
    ],
)
def test_tables_that_are_refused(pile, tmp_path, text, words):
    refused(words, pile, labels=write(tmp_path / "few.csv", text))


def test_a_table_in_another_encoding_or_not_there(pile, tmp_path):
    refused("is not UTF-8 (byte 18)", pile, labels=write(tmp_path / "few.csv", "path,label\n000.pngä,a", "latin-1"))
    refused("none.csv is not there", pile, labels=str(tmp_path / "none.csv"))


# --- arrays ------------------------------------------------------------------------------------------------------


def idx_bytes(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def test_a_folder_of_idx_files_packed_and_not(tmp_path, noise):
    pixels, labels = noise.integers(0, 256, (12, 6, 6), dtype=np.uint8), np.array([3, 7] * 6, dtype=np.uint8)
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
    refused("t10k-labels-idx1-ubyte is not a whole idx file", tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels))[:-30])
    refused("t10k-images-idx3-ubyte.gz is not a whole idx file", tmp_path)


@pytest.mark.parametrize(
    "x, y", [("x", "y"), ("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels")]
)
def test_npz_with_unlabelled_and_test(tmp_path, noise, x, y):
    pixels = noise.integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
    test = {"x_test": pixels[6:], "y_test": np.array([[0], [2], [2], [0]])}
    np.savez(tmp_path / "set.npz", **{x: pixels[:6], y: np.array([2, 0, -1, -1, 0, 2])}, **test)
    split = data.load_images(str(tmp_path / "set.npz"), size=8)
    assert split.labelled.labels.tolist() == [1, 0, 0, 1]
    assert split.labelled.classes == ("0", "2")
    assert names(split.unlabelled) == ["set.npz/2", "set.npz/3"]
    assert np.array_equal(split.test.fetch([0])[0], pixels[6].transpose(2, 0, 1))


def test_npz_with_words_and_with_class_names(tmp_path, noise):
    pixels = noise.integers(0, 256, (4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "words.npz", x=pixels, y=np.array(["dog", "", "cat", "dog"]))
    split = data.load_images(str(tmp_path / "words.npz"))
    assert (split.labelled.classes, split.labelled.labels.tolist()) == (("cat", "dog"), [1, 0, 1])
    np.savez(tmp_path / "named.npz", x=pixels, y=np.array([0, 1, 1, -1]), classes=np.array(["zebra", "ant"]))
    assert data.load_images(str(tmp_path / "named.npz")).labelled.classes == ("zebra", "ant")
    np.savez(tmp_path / "named.npz", x=pixels, y=np.array([0, 1, 2, -1]), classes=np.array(["zebra", "ant"]))
    refused("a label 2, but", tmp_path / "named.npz")


def test_npz_that_are_refused(tmp_path, noise):
    x, y, path = noise.integers(0, 256, (4, 8, 8), dtype=np.uint8), np.array([0, 1, 0, 1]), tmp_path / "a.npz"

    def with_arrays(words, **given):
        np.savez(path, **given)
        refused(words, path)

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
    refused("is not a readable .npz", path)
    path.write_bytes(b"")
    refused("is not a readable .npz", path)


# --- decoding ----------------------------------------------------------------------------------------------------


def test_exif_rotation_is_applied(tmp_path):
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:4] = 255  # white above
    exif = Image.Exif()
    exif[274] = 6  # to be turned a quarter clockwise: white on the right
    path = save(tmp_path / "turned.png", pixels, exif=exif)
    turned = decode(str(path), (1, 8, 8))[0]
    assert (turned[:, 4:] == 255).all()
    assert (turned[:, :4] == 0).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_see_through_parts_become_white(tmp_path, mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    path = tmp_path / "alpha.png"
    image.convert(mode).save(path)
    assert np.array_equal(decode(str(path), (1, 8, 8))[0], np.tile(np.uint8([0] * 4 + [255] * 4), (8, 1)))


def test_sixteen_bits_palette_and_bilevel(tmp_path):
    ramp = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040
    assert np.array_equal(decode(str(save(tmp_path / "16.png", ramp)), (1, 8, 8))[0], (ramp / 257).round())
    assert np.array_equal(decode(str(save(tmp_path / "16.tif", ramp)), (1, 8, 8))[0], (ramp / 257).round())
    Image.fromarray(ramp > 30_000).save(tmp_path / "1.png")
    assert np.array_equal(decode(str(tmp_path / "1.png"), (1, 8, 8))[0], (ramp > 30_000) * 255)
    colours = np.zeros((8, 8, 3), dtype=np.uint8)
    colours[:4] = (200, 10, 30)
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.gif")
    assert np.array_equal(decode(str(tmp_path / "p.gif"), (3, 8, 8)), colours.transpose(2, 0, 1))
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "c.jpg", quality=100)
    assert np.abs(decode(str(tmp_path / "c.jpg"), (3, 8, 8))[:, 0, 0].astype(int) - (200, 10, 30)).max() < 12


def test_the_first_frame_of_an_animation(tmp_path):
    first, second = (Image.new("L", (8, 8), value) for value in (40, 200))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (decode(str(tmp_path / "a.gif"), (1, 8, 8)) == 40).all()


def test_the_centre_is_cut_out_of_what_is_not_square(tmp_path):
    stripes = np.repeat(np.uint8([10, 100, 200]), 8)[None].repeat(8, 0)  # 8 x 24: three squares
    assert (decode(str(save(tmp_path / "wide.png", stripes)), (1, 8, 8)) == 100).all()
    assert (decode(str(save(tmp_path / "high.png", stripes.T.copy())), (1, 8, 8)) == 100).all()


def test_how_much_was_cut_away_is_told(tmp_path):
    assert share_cut((8, 8), (5, 5)) == 0 and share_cut((24, 8), (8, 8)) == approx(2 / 3) == share_cut((8, 24), (8, 8))
    noise = np.random.default_rng(0).integers(0, 256, (12, 400, 20), np.uint8)
    sides = {"long.png": (400, 20), "photo.png": (30, 20), "film.png": (32, 20), "square.png": (20, 20)}
    for name, (height, width) in sides.items():
        save(tmp_path / "labelled" / name[0] / name, noise[len(name), :height, :width])
    split = data.load_images(str(tmp_path))
    told = dict(zip((Path(split.labelled.name(i)).name for i in range(4)), split.labelled.cut.tolist()))
    assert told == approx({"long.png": 0.95, "photo.png": 1 / 3, "film.png": 0.375, "square.png": 0})
    said = data.read_images([str(tmp_path)], (1, 16, 16))[2]
    assert said.startswith("2 of 4 images are far from square: over a third of each is cut away, most of ")
    assert "long.png (95%); cut or pad them yourself" in said
    assert data.read_images([str(tmp_path / "labelled/p")], (1, 16, 16))[2] == ""
    np.savez(tmp_path / "wide.npz", x=noise[:, :40], y=np.arange(12) % 2)  # 40 high, 20 wide
    assert data.load_images(str(tmp_path / "wide.npz"), size=16).labelled.cut.eq(0.5).all()


def test_shrinking_does_not_alias(tmp_path):
    board = np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255  # a chessboard of single pixels: grey from afar
    shrunk = decode(str(save(tmp_path / "board.png", board)), (1, 8, 8))
    assert abs(shrunk.astype(int) - 127).max() < 10


@given(
    some.integers(4, 40),
    some.integers(4, 40),
    some.sampled_from(["L", "RGB", "RGBA", "P", "1", "LA", "I;16"]),
    some.sampled_from([1, 3]),
    some.integers(4, 20),
)
@settings(max_examples=60, deadline=None)
def test_one_colour_stays_one_colour_at_any_size_and_in_any_mode(width, height, mode, channels, size):
    image = Image.new(mode, (width, height), "white" if mode != "I;16" else 65_535)
    assert (decode(image, (channels, size, size)) == 255).all()
    assert decode(image, (channels, size, size + 3)).shape == (channels, size, size + 3)


def test_size_and_channels_are_chosen_from_the_files(tmp_path, noise):
    grey = noise.integers(0, 256, (28, 28), dtype=np.uint8)
    for i in range(3):
        save(tmp_path / f"{'ab'[i % 2]}/{i}.png", np.roll(grey, i))
    save(tmp_path / "a/rgb.png", np.stack([grey[::-1]] * 3, axis=2))  # grey, though stored as colour
    assert data.load_images(str(tmp_path)).labelled.shape == (1, 28, 28)
    save(tmp_path / "b/colour.png", noise.integers(0, 256, (20, 50, 3), dtype=np.uint8))
    assert data.load_images(str(tmp_path)).labelled.shape == (3, 28, 28)  # the median shorter side
    for i in range(9):
        save(tmp_path / f"b/large{i}.png", noise.integers(0, 256, (200, 100), dtype=np.uint8))
    assert data.load_images(str(tmp_path)).labelled.shape == (3, 32, 32)
    assert data.load_images(str(tmp_path), size=12).labelled.shape == (3, 12, 12)


# --- what cannot be read -----------------------------------------------------------------------------------------


def spoil(folder, noise):
    """Five files that cannot be read."""
    image = noise.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    save(folder / "zz-cut.jpg", image)
    (folder / "zz-cut.jpg").write_bytes((folder / "zz-cut.jpg").read_bytes()[:900])
    (folder / "zz-empty.png").touch()
    (folder / "zz-text.png").write_text("hello")
    save(folder / "zz-tiny.png", image[:1, :1])
    Image.new("1", (20_000, 20_000)).save(folder / "zz-bomb.png")


@pytest.mark.parametrize("limit", [10**9, 8 * 8 * 100])
def test_broken_pictures_are_left_out_and_told(tmp_path, noise, monkeypatch, limit):
    monkeypatch.setattr(loading, "MEMORY_LIMIT", limit)
    root = photos(tmp_path, noise, {"a": 30, "b": 20}, unlabelled=100)
    spoil(root / "labelled/b", noise)
    split = data.load_images(str(root), size=8, test_share=0)
    assert split.labelled.labels.bincount().tolist() == [30, 20]
    assert split.labelled.in_memory
    assert split.unlabelled.in_memory == (limit == 10**9)
    reasons = {path.rsplit("/", 1)[1]: reason for path, reason in split.skipped}
    assert sorted(reasons) == ["zz-bomb.png", "zz-cut.jpg", "zz-empty.png", "zz-text.png", "zz-tiny.png"]
    assert reasons["zz-bomb.png"] == "over 89,478,485 pixels, a decompression bomb?"
    assert "truncated" in reasons["zz-cut.jpg"]
    assert reasons["zz-empty.png"] == "an empty file"
    assert reasons["zz-text.png"] == "not an image"
    assert reasons["zz-tiny.png"] == "1 x 1 pixels; a side needs at least 4"


def test_more_than_a_twentieth_broken_is_refused(tmp_path, noise):
    root = photos(tmp_path, noise, {"a": 40, "b": 40})
    spoil(root / "labelled/b", noise)
    said = refused("5 of 85 images cannot be read, more than 5%; the first is", root)
    assert "zz-bomb.png" in said
    for path in (root / "labelled").rglob("0*.png"):
        path.write_text("hello")
    refused("can be read", root)


def test_a_class_that_was_all_broken_is_refused(tmp_path, noise):
    root = photos(tmp_path, noise, {"a": 50, "b": 1})
    (root / "labelled/b/000.png").write_text("hello")
    refused("Class 'b' has no readable labelled image", root)


def test_a_bomb_that_pillow_only_warns_of_is_left_out(tmp_path, noise, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    root = photos(tmp_path, noise, {"a": 20, "b": 20})
    save(root / "labelled/a/large.png", noise.integers(0, 256, (12, 12), dtype=np.uint8))
    assert [reason for _, reason in data.load_images(str(root)).skipped] == ["over 100 pixels, a decompression bomb?"]
    assert not [each for each in recwarn if issubclass(each.category, Image.DecompressionBombWarning)]


# --- decoded on demand -------------------------------------------------------------------------------------------


def test_a_large_set_is_decoded_on_demand_to_the_same_pixels(tmp_path, noise, monkeypatch):
    root = photos(tmp_path, noise, {"a": 20, "b": 20}, unlabelled=60)
    whole = data.load_images(str(root), labels_per_class=3)
    monkeypatch.setattr(loading, "MEMORY_LIMIT", 8 * 8 * 50)
    stream = data.load_images(str(root), labels_per_class=3)
    assert (whole.unlabelled.in_memory, stream.unlabelled.in_memory) == (True, False)
    assert stream.labelled.in_memory
    assert stream.test.in_memory
    for part in ("labelled", "unlabelled", "test"):
        one, other = getattr(whole, part), getattr(stream, part)
        assert names(one) == names(other)
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.fetch(slice(None)), other.fetch(slice(None)))
        assert one.hashes() == other.hashes()


def test_a_stream_goes_to_worker_processes(tmp_path, noise, monkeypatch):
    monkeypatch.setattr(loading, "MEMORY_LIMIT", 100)
    many = data.load_images(str(photos(tmp_path, noise, {"a": 1, "b": 1}, unlabelled=9))).unlabelled
    assert torch.equal(pickle.loads(pickle.dumps(many)).fetch([8, 2]), many.fetch([8, 2]))


def test_a_stream_marks_what_it_cannot_read(tmp_path, noise, monkeypatch):
    root = photos(tmp_path, noise, {"a": 20, "b": 20}, unlabelled=60)
    monkeypatch.setattr(loading, "MEMORY_LIMIT", 8 * 8 * 50)
    many = data.load_images(str(root)).unlabelled
    for i in range(5):
        (root / f"unlabelled/{i:03}.png").write_text("hello")
    assert many.readable([4, 5, 6]).all()
    assert (many.fetch([4, 5, 6])[0] == 0).all()
    assert many.readable([4, 5, 6]).tolist() == [False, True, True]
    assert many.store.bad.sum() == 1
    many.fetch(slice(None))
    assert many.store.bad.sum() == 5
    (root / "unlabelled/005.png").unlink()
    with pytest.raises(CaudexError, match="6 of 100 images cannot be read"):
        many.fetch([5])


# --- predict -----------------------------------------------------------------------------------------------------


def test_read_takes_files_and_folders_in_order(tmp_path, noise):
    colour = noise.integers(0, 256, (30, 20, 3), dtype=np.uint8)
    first, last = save(tmp_path / "z.png", colour), save(tmp_path / "more/deep/b.png", colour)
    (tmp_path / "more/a.png").write_text("hello")
    given = [str(first), str(tmp_path / "more")]
    assert data.image_files(given) == [str(first), str(tmp_path / "more/a.png"), str(last)]
    pixels, skipped, _ = data.read_images(given, (1, 8, 8))
    assert pixels.shape == (2, 1, 8, 8)
    assert torch.equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[0], decode(str(first), (1, 8, 8)))
    assert skipped == [(str(tmp_path / "more/a.png"), "not an image")]


def test_read_refuses_what_is_not_there(tmp_path):
    with pytest.raises(CaudexError, match=r"none\.png is not there"):
        data.read_images([str(tmp_path / "none.png")], (1, 8, 8))
    with pytest.raises(CaudexError, match="has no image"):
        data.read_images([str(tmp_path)], (1, 8, 8))


# --- the hub -----------------------------------------------------------------------------------------------------


class ClassLabel:
    def __init__(self, names):
        self.names = names


class Value:
    pass


Feature = type("Image", (), {})


@dataclass
class Rows:
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


def rows(noise, labels):
    return Rows([Image.fromarray(noise.integers(0, 256, (9, 9), dtype=np.uint8)) for _ in labels], labels)


def test_a_data_set_of_the_hub(noise):
    splits = {"validation": rows(noise, [1, 0]), "train": rows(noise, [0, 1, 1, None]), "test": rows(noise, [-1, -1])}
    found = hub.of_splits(splits, "hf:pets", 9)
    whole = found.everything
    assert (whole.classes, whole.labels.tolist()) == (("cat", "dog"), [0, 1, 1, -1, 1, 0])
    assert list(whole.columns) == ["label", "lit"]
    assert found.test.tolist() == [4, 5]  # the test split tells no labels
    assert (whole.name(3), whole.name(5)) == ("hf:pets/train/3", "hf:pets/validation/1")
    assert np.array_equal(whole.fetch([5])[0, 0], np.asarray(splits["validation"].images[1]))


def test_broken_pictures_of_the_hub_and_of_large_sets(noise, monkeypatch):
    train = rows(noise, [0, 1] * 20)
    train.images[7] = None
    found = hub.of_splits({"train": train}, "hf:pets", 0)
    assert (len(found.everything), found.skipped, found.test) == (39, [("hf:pets/train/7", "broken")], None)
    monkeypatch.setattr(loading, "MEMORY_LIMIT", 100)
    whole = hub.of_splits({"train": train}, "hf:pets", 0).everything
    assert not whole.in_memory
    assert (whole.fetch([7]) == 0).all()
    assert whole.readable([6, 7]).tolist() == [True, False]


def test_the_hub_without_the_extra_or_without_pictures(noise, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    refused("pip install 'caudex[hub]'", "hf:mnist")
    monkeypatch.setattr(Rows, "features", {"text": Value()})
    with pytest.raises(CaudexError, match="columns text; it needs"):
        hub.of_splits({"train": rows(noise, [0])}, "hf:texts", 0)


# --- cost --------------------------------------------------------------------------------------------------------


def test_importing_is_light():
    heavy = ("sklearn", "datasets", "rich", "torchvision")
    code = f"import sys, caudex.data; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_folder_is_walked_without_a_string_for_each_file(tmp_path, noise):
    for i in range(300):
        (tmp_path / f"{i:06}.png").touch()
    paths = Paths(tmp_path)
    assert paths.add(below(tmp_path)) == 300
    assert len(paths.buffer) + paths.ends.itemsize * len(paths) == 300 * (10 + 8)
