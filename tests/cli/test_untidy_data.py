"""Data as people have it: what the screen says before the training, and that predict reads it alike."""

import json
import os

import numpy as np
from helpers.command_line import invoke, run_cli
from helpers.image_files import save_image

from caudex.core.system import load

QUICK = ("--scale", "tiny", "--steps", "5", "--threads", "1")


def test_a_split_of_16_bit_images_with_a_class_of_invalid_utf8(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    for part, count in (("Train", 6), ("val", 3)):
        for name in (b"ok", b"\xff"):
            for i in range(count):
                pixels = rng.integers(0, 4096, (16, 16)).astype(np.uint16)
                save_image(tmp_path / "set" / part / os.fsdecode(name) / f"{i}.tif", pixels)
    (tmp_path / "set/Train/ok/phone.jxl").write_bytes(b"x")
    output = run_cli("train", "supervised", "--data", "set", *QUICK)
    assert output.out.splitlines()[:4] == [
        "2 classes; 12 labelled, 0 unlabelled, 6 test images of 16 x 16",
        r"images of each class, labelled + to test on: \xff: 6 + 3, ok: 6 + 3",
        "images of more than 8 bits are scaled from 0 to 4,095, by a sample of the set",
        "left out of the data: 1 file: set/Train/ok/phone.jxl (.jxl is not read; convert it to .png or .jpg)",
    ]
    assert json.loads((output.run / "spec.json").read_text())["pixel_range"] == [0, 4095]
    assert load(output.run).image_format.pixel_range == (0, 4095)
    predicted = run_cli("predict", output.run, "set/val", "set/Train/ok/phone.jxl", "--csv", "predicted.csv")
    assert (
        "scaled from 0 to 4,095" in predicted.err
        and "skipped set/Train/ok/phone.jxl: .jxl is not read" in predicted.err
    )
    assert len((tmp_path / "predicted.csv").read_bytes().splitlines()) == 7


def test_texts_that_cannot_be_read_are_skipped_and_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"a good film {i},pos\na bad film {i},neg\n" for i in range(12))
    (tmp_path / "set.csv").write_bytes(
        f"text,label\n{rows}same,pos\nsame,neg\n,pos\nnone,-1\n".encode() + "\u00fcber,pos\n".encode("latin-1")
    )
    output = run_cli("train", "text-labels", "--data", "set.csv", "--scale", "tiny", "--steps", "3", "--threads", "1")
    for words in (
        "rows without a label, left out: 1 (-1: 1); if -1 is a class, give it another name",
        "rows without a text, left out: 1",
        "1 byte that is not UTF-8 was replaced by \ufffd, the first in set.csv at byte",
        "texts with more than one label: 1, such as 'same', 'neg' and 'pos'; keep one of each",
        "texts of each class, to learn from + to test on: neg: ",
    ):
        assert words in output.out
    (tmp_path / "good.txt").write_text("a good film")
    (tmp_path / "binary.txt").write_bytes(b"\0\1")
    (tmp_path / "wide.txt").write_text("a good film", encoding="utf-16")
    (tmp_path / "letter.pdf").write_bytes(b"%PDF")
    (tmp_path / "table.csv").write_text("text,label\na,b,c\n")
    files = ("good.txt", "binary.txt", "wide.txt", "letter.pdf", "table.csv")
    predicted = run_cli("predict", output.run, *files)
    assert "good.txt" in predicted.out
    skipped = [line for line in predicted.err.splitlines() if line.startswith("caudex: skipped ")]
    assert [line.split()[2].rstrip(":") for line in skipped] == [*files[1:]]
    assert "wide.txt: UTF-16; save it as UTF-8" in predicted.err
    missing = invoke("predict", output.run, "good.txt", "missing.txt")
    assert missing.code == 2 and "missing.txt is not there" in missing.err
    unreadable = invoke("predict", output.run, "binary.txt")
    assert unreadable.code == 2 and "nothing can be read of 1 file; binary.txt: binary" in unreadable.err
