"""Which images stand in a queue: those of a folder that have no label, or those that a table names."""

from pathlib import Path

import pytest

from caudex.core.errors import CaudexError
from caudex.data.images.label_queue import QueuedImage, find_images, read_queue, unlabelled_queue


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_the_classes_of_a_folder_and_its_unlabelled_images(tmp_path):
    touch(
        tmp_path,
        "labelled/cat/1.png",
        "labelled/dog/a/2.png",
        "unlabelled/3.png",
        "new/4.jpg",
        "test/cat/5.png",
        "x.txt",
    )
    folder = find_images(tmp_path)
    assert list(folder.images) == [b"labelled/cat/1.png", b"labelled/dog/a/2.png", b"new/4.jpg", b"unlabelled/3.png"]
    assert folder.classes == {b"labelled/cat/1.png": "cat", b"labelled/dog/a/2.png": "dog"}
    queue = unlabelled_queue(folder.classes, folder)
    assert [entry.image for entry in queue] == [b"new/4.jpg", b"unlabelled/3.png"]
    (entry, *_) = unlabelled_queue({}, folder)  # a table that does not name it
    assert entry == QueuedImage(b"labelled/cat/1.png", "", "cat", "the name of its folder")


def test_albums_are_no_classes_where_images_stand_beside_them_or_classes_are_given(tmp_path):
    touch(tmp_path, "2020/1.png", "2021/2.png")
    assert set(find_images(tmp_path).classes.values()) == {"2020", "2021"}
    assert find_images(tmp_path, ["cat", "2021"]).classes == {b"2021/2.png": "2021"}
    touch(tmp_path, "3.png")
    assert find_images(tmp_path).classes == {} and len(find_images(tmp_path).images) == 3
    (tmp_path / "3.png").unlink()
    (tmp_path / "2020").rename(tmp_path / "unsorted")
    assert "'unsorted' is read as a class" in find_images(tmp_path).notes[0]


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(CaudexError, match=r"has no image to label; looked for \.png"):
        find_images(tmp_path)


def test_a_queue_keeps_its_order_and_names_each_image_once():
    Path("q.csv").write_text(
        "path,Label,suggestion,reason\nb.png,cat,dog,why\na.png,nan,,\nb.png,,,again\nc.png,cat,,\n"
    )
    assert read_queue(Path("q.csv"), Path("photos"), [b"b.png", b"a.png"]) == [
        QueuedImage(b"b.png", "cat", "dog", "why"),
        QueuedImage(b"a.png"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "path,colour\na.png,red\n",
            "q.csv is no queue: it has none of the columns label, suggestion, reason beside path",
        ),
        ("path,label,reason\na.png,cat,\n", "q.csv names no image to look at"),
        ("path,label,reason\na.png\n", "does not fit the columns"),
        ("image,label\na.png,cat\n", "has no column 'path'"),
    ],
)
def test_a_table_that_is_no_queue_is_refused(content, sentence):
    Path("q.csv").write_text(content)
    with pytest.raises(CaudexError, match=sentence):
        read_queue(Path("q.csv"), Path("photos"), [b"b.png", b"a.png"])
