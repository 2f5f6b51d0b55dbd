"""Each file once, however many links lead to it; what is not read is listed with its reason."""

from pathlib import Path

import numpy as np
import pytest
from helpers.image_files import image_names, write_noise_images

from caudex import data
from caudex.data.files import FileFinder, describe_skipped, parse_printable, printable
from caudex.data.images.decode import ImageFormat
from caudex.data.text.documents import open_documents


@pytest.fixture
def photos(tmp_path, rng):
    return write_noise_images(tmp_path / "photos", rng, {"cat": 2, "dog": 2}, unlabelled=2)


def load(root):
    split = data.load_images(str(root), test_share=0)
    return (
        [name.removeprefix(f"{root}/") for part in (split.labelled, split.unlabelled) for name in image_names(part)],
        {path.removeprefix(f"{root}/"): reason for path, reason in split.skipped},
    )


PLAIN = [f"labelled/{name}/00{i}.png" for name in ("cat", "dog") for i in range(2)] + [
    "unlabelled/000.png",
    "unlabelled/001.png",
]


@pytest.mark.parametrize(
    "link, target, reason",
    [
        ("labelled/cat/loop", "loop", "a link that cannot be followed"),
        ("labelled/cat/loop.png", "loop.png", "a link that cannot be followed"),
        ("unlabelled/up", "..", "a link to a folder above it"),
        ("unlabelled/here", ".", "a link to a folder above it"),
        ("labelled/cat/up", "../../..", "a link to a folder above it"),
        ("unlabelled/cats", "../labelled/cat", "leads to a folder that is read already"),
        ("unlabelled/again.png", "../labelled/cat/000.png", "leads to a file that is read already"),
        ("labelled/dog/same.png", "000.png", "leads to a file that is read already"),
        ("unlabelled/nothing.png", "none.png", "a link that leads nowhere"),
    ],
)
def test_links_that_lead_to_nothing_new(photos, link, target, reason):
    (photos / link).symlink_to(target)
    names, skipped = load(photos)
    assert names == PLAIN
    assert list(skipped) == [link] and skipped[link].startswith(reason)


def test_labels_given_by_links_win_over_the_pile_that_they_lead_to(photos):
    (photos / "labelled/cat/by-link.png").symlink_to(photos / "unlabelled/001.png")
    names, skipped = load(photos)
    assert [name for name in names if name not in PLAIN] == ["labelled/cat/by-link.png"]
    assert "unlabelled/001.png" not in names and list(skipped) == ["unlabelled/001.png"]


def test_a_link_into_the_test_is_not_learned_from(photos, rng):
    write_noise_images(photos, rng, test={"cat": 2, "dog": 1})
    (photos / "unlabelled/peek").symlink_to("../test/cat")
    split = data.load_images(str(photos))
    assert (len(split.unlabelled), len(split.test)) == (2, 3)
    assert split.skipped == [
        (str(photos / "unlabelled/peek/cat").removesuffix("/cat"), "leads to a folder that is read already")
    ]


def test_a_table_may_name_an_image_by_a_link(photos, tmp_path):
    (photos / "named").mkdir()
    for i in range(2):
        (photos / f"named/{i}.png").symlink_to(f"../unlabelled/00{i}.png")
    (tmp_path / "few.csv").write_text("path,label\nnamed/0.png,a\nnamed/1.png,b\n")
    split = data.load_images(str(photos), labels=str(tmp_path / "few.csv"))
    assert (len(split.labelled), len(split.unlabelled)) == (2, 4)


def test_images_of_formats_that_are_not_read_are_listed(photos, tmp_path):
    for name in ("a.jxl", "b.JXL", "c.txt"):
        (photos / "labelled/cat" / name).write_bytes(b"x")
    _, skipped = load(photos)
    assert skipped == dict.fromkeys(
        ["labelled/cat/a.jxl", "labelled/cat/b.JXL"], ".jxl is not read; convert it to .png or .jpg"
    )
    read = data.read_images([str(photos), str(photos / "labelled/cat/a.jxl")], ImageFormat((1, 8, 8)))
    assert (
        len(read.images) == 6
        and len(read.skipped) == 3
        and {reason for _, reason in read.skipped} == set(skipped.values())
    )


def test_texts_are_found_alike(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").symlink_to("a.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "c.pdf").write_bytes(b"%PDF")
    documents = open_documents(str(tmp_path))
    assert [text for _, text in documents] == ["one"]
    reasons = {Path(path).name: reason for path, reason in documents.skipped}
    assert sorted(reasons) == ["b.txt", "c.pdf", "loop.txt"]
    assert reasons["c.pdf"].startswith(".pdf is not read; save it as .txt")


def test_hidden_names_do_not_count_and_no_inode_is_kept_of_plain_files(tmp_path):
    for name in ("a.png", ".b.png", ".c/d.png", "e/f.PNG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    finder = FileFinder(tmp_path, [".png"], {})
    assert list(finder.below()) == [b"a.png", b"e/f.PNG"] and not finder._linked_files


def test_skipped_files_in_one_sentence():
    skipped = [
        ("a.heic", "not read"),
        ("b.heic", "not read"),
        ("c.png", "also in the test, as d.png"),
        ("e.png", "also in the test, as f.png"),
    ]
    skipped += [("g.png", "empty"), ("h.png", "not an image")]
    assert describe_skipped(skipped) == (
        "left out of the data: 6 files: 2 such as a.heic (not read); 2 such as c.png (also in the test); g.png (empty); 1 more reason"
    )
    assert describe_skipped([]) == ""


def test_paths_of_any_bytes_can_be_printed():
    assert printable(b"a/\xff\xc3\xa9") == "a/\\xff\u00e9"
    assert np.all([printable(bytes([i])).encode() for i in range(1, 256)])


def test_a_printable_path_becomes_its_bytes_again():
    for path in (b"a/b.png", b"\xff\x80.png", "ä \\x41.png".encode()):
        assert parse_printable(printable(path)) == path
    assert parse_printable(printable(rb"\xff")) == b"\xff"  # which is why a path that is there comes first
