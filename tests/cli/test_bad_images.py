"""Images and tables that are wrong get one line."""

import shutil
from pathlib import Path

import pytest
from helpers.cli_runs import QUICK
from helpers.command_line import assert_refused, run_cli
from helpers.photos import write_bomb, write_photos
from PIL import Image


def assert_data_refused(*words, because: str) -> str:
    return assert_refused("train", "noisy-student", *QUICK, *words, because=because)


def test_folders_from_which_nobody_can_learn(tmp_path):
    Path("empty").mkdir()
    assert_data_refused("--data", "empty", because="empty has no image")
    root = write_photos(tmp_path / "photos", unlabelled=2)
    shutil.move(root / "labelled" / "dog", "dog")
    assert_data_refused("--data", root, because="has one class, 'cat'; a classifier needs two")
    (root / "labelled" / "dog").mkdir()
    assert_data_refused("--data", root, because="dog has no image")
    Path(root / "labelled" / "dog" / "one.png").touch()
    assert_data_refused("--data", root, because="cannot be read, more than 5%")
    shutil.rmtree(root / "labelled")
    assert_data_refused("--data", root, because="has images but no labels")
    Path("file.txt").write_text("a")
    assert_data_refused("--data", "file.txt", because="file.txt is not a folder of images")


def test_nothing_unlabelled_is_nothing_to_teach(tmp_path):
    root = write_photos(tmp_path / "photos", unlabelled=0)
    assert_data_refused("--data", root, because="use `caudex train supervised`")


def test_images_that_are_none(tmp_path, trained_run):
    root = write_photos(tmp_path / "photos", unlabelled=2)
    for name, write in {
        "bomb.png": write_bomb,
        "dot.png": Image.new("L", (1, 1)).save,
        "text.png": lambda path: path.write_text("no image"),
        "cut.jpg": lambda path: path.write_bytes((root / "labelled/cat/001.jpg").read_bytes()[:200]),
        "empty.webp": Path.touch,
    }.items():
        file = root / "unlabelled" / name
        write(file)
        line = assert_data_refused("--data", root, because="cannot be read, more than 5%")
        assert name in line
        assert_refused("predict", trained_run, file, because="nothing can be read of 1 file")
        file.unlink()


def test_a_bomb_among_many_is_skipped(trained_run, photo_album):
    write_bomb(Path("bomb.png"))
    output = run_cli("predict", trained_run, photo_album / "unlabelled", "bomb.png", "--csv", "told.csv")
    assert output.err.count("\n") == 1
    assert "bomb" in output.err
    assert len(Path("told.csv").read_text().splitlines()) == 9


@pytest.mark.parametrize(
    "table, because",
    [
        (b"name,class\na.png,cat\n", "needs `path` and at least one column of labels"),
        (b"path,label\nlabelled/cat/000.png,cat\nlabelled/dog/000.png,h\xfcnd\n", "is not UTF-8"),
        (b"path,label\nlabelled/cat/000.png,cat\ngone.png,dog\nlost.png,dog\n", "names files that are not there (2)"),
        (b"path,label\nlabelled/cat/000.png,cat\n", "one class, 'cat'"),
        (b"path,label\nlabelled/cat/000.png,cat\nlabelled/cat/000.png,dog\n", "both 'cat' and 'dog'"),
        (b"path,label\nlabelled/cat/000.png\n", "line 2"),
        (b"", "is empty, or its first line is"),
    ],
)
def test_tables_that_are_wrong(photo_album, table, because):
    Path("few.csv").write_bytes(table)
    assert_data_refused("--data", photo_album, "--labels", "few.csv", because=because)


def test_a_table_that_is_not_there(photo_album):
    assert_data_refused("--data", photo_album, "--labels", "nowhere.csv", because="nowhere.csv is not there")


def test_a_test_that_leaks_into_training(tmp_path):
    root = write_photos(tmp_path / "photos", test=2)
    shutil.copy(root / "labelled" / "cat" / "000.png", root / "test" / "cat" / "known.png")
    assert_data_refused("--data", root, because="also stand in the test")


def test_a_broken_array_file():
    Path("broken.npz").write_bytes(b"PK not a zip")
    assert_data_refused("--data", "broken.npz", because="broken.npz is not a readable .npz")
