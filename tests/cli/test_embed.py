"""embed: features of images into a file, in three forms; what stops it is said before the images are encoded."""

import csv
import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.photos import write_photo
from pyarrow import parquet

from caudex.cli import embed
from caudex.data import read_images
from caudex.data.images.decode import ImageFormat
from caudex.systems.image_trunks import open_encoder

WIDTH = 1280  # of efficientnet-lite0


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Three batches of two."""
    monkeypatch.setattr(embed, "BATCH", 2)


def write_album(folder: str) -> list[str]:
    files = [str(write_photo(Path(folder), number % 2 == 0, number)) for number in range(5)]
    Path(folder, "broken.jpg").write_text("broken")
    return sorted(files)


def test_features_in_three_forms_and_broken_files_are_named(monkeypatch):
    monkeypatch.setattr("caudex.data.images.image_set.MAX_UNREADABLE_SHARE", 0.5)
    files = write_album("photos")
    for suffix in (".npy", ".csv", ".parquet"):
        output = run_cli("embed", "photos", "--to", f"features{suffix}", "--size", "32")
        assert output.out == f"features{suffix}: 5 images, {WIDTH:,} features each\n"
        assert output.err.splitlines()[-1] == "caudex: skipped photos/broken.jpg: not an image"
    table = np.load("features.npy")
    assert table["file"].tolist() == files
    pixels = read_images(files, ImageFormat((3, 32, 32))).images
    expected = open_encoder("efficientnet-lite0", 0)(pixels).numpy()
    assert table["features"] == pytest.approx(expected, rel=2e-3, abs=1e-3)  # kept in 16 bits
    header, *rows = csv.reader(Path("features.csv").read_text().splitlines())
    assert header == ["file", *map(str, range(WIDTH))] and [row[0] for row in rows] == files
    assert np.array_equal(np.array([row[1:] for row in rows], np.float32), table["features"])
    columns = parquet.read_table("features.parquet").to_pydict()
    assert columns["file"] == files and np.array_equal(np.array(columns["features"], np.float32), table["features"])


def test_a_name_that_is_not_utf8():
    write_photo(Path("photos"), True, 1).rename(os.fsdecode(b"photos/\xff.jpg"))
    run_cli("embed", "photos", "--to", "features.parquet", "--size", "32")
    run_cli("embed", "photos", "--to", "features.csv", "--size", "32")
    assert parquet.read_table("features.parquet")["file"].to_pylist() == [r"photos/\xff.jpg"]
    assert Path("features.csv").read_bytes().splitlines()[1].startswith(b"photos/\xff.jpg,")


def test_without_pyarrow_nothing_is_encoded(monkeypatch):
    write_album("photos")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("caudex.data.encode_images", lambda *_: pytest.fail("images are encoded"))
    assert_refused(
        "embed", "photos", "--to", "features.parquet", because="pip install 'caudex[parquet]'; or write .npy"
    )


def test_a_cache_that_cannot_be_written(monkeypatch):
    write_photo(Path("photos"), True, 1)
    open_encoder("efficientnet-lite0", 0)
    monkeypatch.setenv("CAUDEX_CACHE", "/proc/nothing")
    words = "(No such file or directory); set CAUDEX_CACHE to a folder that you can write to"
    assert_refused("embed", "photos", "--to", "features.npy", "--size", "32", because=words)


def test_a_full_disk_leaves_no_file(monkeypatch):
    write_photo(Path("photos"), True, 1)

    def full(file, *_):
        file.write_bytes(b"some")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(embed.WRITERS, ".npy", full)
    output = invoke("embed", "photos", "--to", "features.npy", "--size", "32")
    assert (output.code, output.out) == (2, "") and [*Path().iterdir()] == [Path("photos")]
    assert "--to features.npy cannot be written (No space left on device); what was encoded stays" in output.err


@pytest.mark.parametrize(
    "words, because",
    [
        (["photos"], "say what to embed, and where to: caudex embed photos/ --to features.npy"),
        (["photos", "--to", "features.txt"], "--to features.txt: give a file that ends in .npy, .csv, .parquet"),
        (["photos", "--to", "nowhere/features.npy"], "there is no folder nowhere"),
        (["photos", "--to", "/proc/features.npy"], "--to /proc/features.npy cannot be written (No such file or"),
        (["photos", "--to", "old.npy"], "--to old.npy exists already; delete it first"),
        (["photos", "--to", "features.npy", "--trunk", "small"], "--trunk small has learned nothing yet"),
        (["photos", "--to", "features.npy", "--size", "2"], "A size of 2 makes no sense; give one from 4"),
        (["foto", "--to", "features.npy"], "foto is not there; give files or folders of images"),
        (["empty", "--to", "features.npy"], "empty has no image; looked for .png"),
    ],
)
def test_what_cannot_be_embedded(words, because):
    Path("empty").mkdir()
    Path("old.npy").touch()
    write_photo(Path("photos"), True, 1)
    assert_refused("embed", *words, because=because)
