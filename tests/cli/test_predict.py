"""predict: the likeliest classes or all, of any number of files, which are listed anywhere and may be broken."""

import csv
import io
import shutil
import sys
from pathlib import Path

import pytest
from helpers.cli_runs import QUICK
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.photos import write_photo
from PIL import Image

from caudex.core.system import load
from caudex.data.images import image_stream
from caudex.data.images.decode import decode_image
from caudex.models.image_classifier import ImageClassifier


def rows_of(text):
    return list(csv.reader(text.splitlines()))


@pytest.fixture
def listed(monkeypatch):
    """Lines on standard input."""

    def give(*lines):
        content = b"".join(bytes(str(line), "utf-8") + b"\n" for line in lines)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def test_the_likeliest_classes_and_all_probabilities(trained_run, photo_album):
    files = sorted(map(str, (photo_album / "unlabelled").rglob("*.*")))
    run_cli("predict", trained_run, *files, "--top", "2", "--probabilities", "--csv", "all.csv")
    header, *rows = rows_of(Path("all.csv").read_text())
    assert header == ["file", "class", "confidence", "class_2", "confidence_2", "cat", "dog"]
    model = load(trained_run)
    predictions = model.predict(image_stream.read_images(files, model.image_format).images)
    for (name, first, p, second, q, cat, dog), file, (label, confidence) in zip(rows, files, predictions, strict=True):
        assert (name, first, float(p)) == (file, label, pytest.approx(confidence, abs=1e-6))
        assert {first: p, second: q} == {"cat": cat, "dog": dog} and float(p) >= float(q)
        assert float(p) + float(q) == pytest.approx(1, abs=2e-6)
    table = run_cli("predict", trained_run, *files, "--top", "2").out
    assert "class_2" in table and table.count("%") == 16


def test_a_list_on_standard_input(trained_run, photo_album, listed):
    folder = photo_album / "unlabelled/deeper"
    listed(folder / "001.jpg", "", "gone.jpg", folder / "005.jpg\r", photo_album / "test/cat")
    output = run_cli("predict", trained_run, "-", folder / "003.jpeg", "--csv", "-")
    header, *rows = rows_of(output.out)
    assert header == ["file", "class", "confidence"]
    assert [Path(row[0]).name for row in rows] == ["001.jpg", "005.jpg", "000.png", "001.jpg", "003.jpeg"]
    assert output.err == "caudex: skipped gone.jpg: not there\n"


def test_many_files_of_which_some_are_broken(trained_run, photo_album, monkeypatch, tmp_path):
    monkeypatch.setattr(image_stream, "MAX_BATCH", 16)
    for i in range(100):
        target = tmp_path / f"new/{i:03}.jpg"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(photo_album / "unlabelled/deeper/001.jpg", target) if i % 16 else target.write_text("broken")
    output = run_cli("predict", trained_run, "new", "--csv", "said.csv")
    assert output.err.splitlines() == [f"caudex: skipped new/{i:03}.jpg: not an image" for i in range(0, 100, 16)]
    rows = rows_of(Path("said.csv").read_text())
    assert [row[0] for row in rows[1:]] == [f"new/{i:03}.jpg" for i in range(100) if i % 16]
    assert not Path("said.csv.partial").exists()
    assert run_cli("predict", trained_run, "new").out.count("%") == 93


def test_what_stops_early_leaves_a_partial_file(trained_run, photo_album, monkeypatch):
    monkeypatch.setattr(image_stream, "MAX_BATCH", 3)
    probabilities, batches = ImageClassifier.probabilities, []

    def interrupted(model, images):
        batches.append(len(images))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return probabilities(model, images)

    monkeypatch.setattr(ImageClassifier, "probabilities", interrupted)
    output = invoke("predict", trained_run, photo_album / "unlabelled", "--csv", "said.csv")
    assert (output.code, output.out) == (130, "")
    assert output.err == "caudex: stopped; said.csv.partial has the rows so far.\n"
    assert not Path("said.csv").exists() and len(rows_of(Path("said.csv.partial").read_text())) == 4
    run_cli("predict", trained_run, photo_album / "unlabelled", "--csv", "said.csv")
    assert not Path("said.csv.partial").exists() and len(rows_of(Path("said.csv").read_text())) == 9


def test_the_limit_of_pixels(trained_run, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # in the place of 89 million
    Image.new("RGB", (60, 40)).save("scan.png")
    words = "scan.png: over 2,000 pixels, a decompression bomb? Of images, --max-pixels raises the limit"
    assert_refused("predict", trained_run, "scan.png", "--max-pixels", "2000", because=words)
    assert "scan.png" in run_cli("predict", trained_run, "scan.png", "--max-pixels", "2400").out


@pytest.mark.parametrize(
    "words, because",
    [
        (["--top", "0"], "--top 0 is out of range; it must be between 1 and 2"),
        (["--top", "3"], "--top 3 is out of range; it must be between 1 and 2"),
        (["--max-pixels", "0"], "--max-pixels 0 is out of range; it must be at least 16"),
        (["--probabilities"], "--probabilities are columns of a CSV; add --csv FILE, or --csv - for standard output"),
        (["--csv", "taken.csv"], "--csv taken.csv cannot be written (Is a directory); choose another place"),
        (["--csv", "nowhere/said.csv"], "there is no folder nowhere"),
        (["empty"], "empty has no image; looked for .png"),
    ],
)
def test_flags_that_cannot_be(trained_run, photo_album, words, because):
    Path("empty").mkdir()
    Path("taken.csv.partial").mkdir()
    files = [] if words == ["empty"] else [photo_album / "unlabelled"]
    assert_refused("predict", trained_run, *files, *words, because=because)


def test_lists_that_name_nothing(trained_run, listed):
    listed("", "")
    assert_refused("predict", trained_run, "-", because="standard input names no file; give paths, one a line")
    listed("gone.jpg", "lost.jpg")
    assert_refused(
        "predict", trained_run, "-", because="nothing is there of 2 files on standard input; the first is gone.jpg"
    )


def test_a_run_that_pads_predicts_so(photo_album, tmp_path):
    run = run_cli("train", "supervised", "--data", photo_album, "--pad", *QUICK).run
    model = load(run)
    assert model.image_format.pad
    path = str(write_photo(tmp_path, True, 1))
    images = image_stream.read_images([path], model.image_format).images
    assert (images[0].numpy() == decode_image(path, model.image_format)).all()
    assert (images[0].numpy() != decode_image(path, model.image_format._replace(pad=False))).any()
