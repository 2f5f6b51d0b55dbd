"""The main job: train, predict, compare, report and export."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_runs import QUICK, SMALL
from helpers.command_line import CAUDEX, assert_refused, run_cli
from helpers.photos import ENDINGS, write_photo, write_photos
from PIL import Image

from caudex.cli import terminal
from caudex.core import fit as training
from caudex.core.system import load
from caudex.data.images.image_stream import read_images


def test_the_two_commands_of_the_readme():
    train = [*CAUDEX, "train", "noisy-student", *SMALL, "--rounds", "1", "--steps", "10", "--width", "4"]
    completed = subprocess.run(train, capture_output=True, text=True, check=True)
    assert completed.stdout.splitlines()[-1] == "runs/noisy-student-1"
    assert completed.stdout.startswith("10 classes; 100 labelled, 1,247 unlabelled, 450 test images of 16 x 16\n")
    assert all(word in completed.stdout for word in ("noisy-student", "supervised", "gain"))
    assert "Traceback" not in completed.stderr
    run = Path("runs/noisy-student-1")
    assert json.loads((run / "settings.json").read_text())["settings"]["rounds"] == 1
    assert "<h2>Results</h2>" in (run / "report.html").read_text()
    Image.fromarray(np.full((8, 8), 200, dtype=np.uint8)).save("new.png")
    rows = run_cli("predict", run, "new.png").out
    assert "new.png" in rows and "confidence" in rows


def test_a_folder_of_photos_trains_and_predicts(trained_run, photo_album):
    assert json.loads((trained_run / "spec.json").read_text())["classes"] == ["cat", "dog"]
    files = sorted((photo_album / "unlabelled").rglob("*.*"))
    output = run_cli("predict", trained_run, "--csv", "told.csv", *files)
    assert (output.out, output.err) == ("told.csv\n", "")
    rows = list(csv.reader(Path("told.csv").read_text().splitlines()))
    assert rows[0] == ["file", "class", "confidence"]
    assert [row[0] for row in rows[1:]] == [str(file) for file in files]
    predictions = load(trained_run).predict(read_images(map(str, files), load(trained_run).image_format)[0])
    assert [(name, pytest.approx(float(sure), abs=1e-6)) for _, name, sure in rows[1:]] == predictions


def test_predict_takes_folders_and_the_csv_may_come_last(trained_run, photo_album):
    run_cli("predict", trained_run, photo_album / "unlabelled", "--csv", "a.csv")
    rows = Path("a.csv").read_text().splitlines()
    assert len(rows) == 1 + 8
    table = run_cli("predict", trained_run, photo_album / "unlabelled").out
    assert table.count("%") == 8
    assert "cat" in table or "dog" in table


def test_labels_in_a_table_and_a_second_column_of_labels(tmp_path):
    photo_album = write_photos(tmp_path / "photos")
    rows = ["path,label,colour"]
    rows += [f"labelled/{name}/{n:03}.{ENDINGS[n % 4]},{name},{'yellow' if name == 'cat' else 'blue'}"
             for name in ("cat", "dog") for n in range(6)]  # fmt: skip
    Path("few.csv").write_text("\n".join(rows))
    settings = ("--data", photo_album, "--labels", "few.csv", *QUICK)
    output = run_cli("train", "two-heads", *settings, "--also", "labels:colour:0.5", "--also", "rotation:0.1")
    run = output.run
    assert json.loads((run / "spec.json").read_text())["columns"]["colour"] == ["blue", "yellow"]
    description = json.loads((run / "stages" / "two-heads" / "about.json").read_text())
    assert description["weights"] == {"labels": 1.0, "labels-colour": 0.5, "rotation": 0.1}
    results = json.loads((run / "results.json").read_text())
    assert {"column", "accuracy", "low", "high", "majority", "recall"} <= set(results["two-heads, colour"])
    assert results["two-heads, colour"]["test_size"] == results["two-heads"]["test_size"] == 2
    assert "colour" in output.out  # in a cell that may be wrapped
    output = run_cli("predict", run, "--csv", "told.csv", photo_album / "unlabelled")
    rows = list(csv.reader(Path("told.csv").read_text().splitlines()))
    assert rows[0] == ["file", "class", "confidence", "colour", "confidence in colour"]
    model, files = load(run), [row[0] for row in rows[1:]]
    colours = model.predict_columns(read_images(files, model.image_format)[0])["colour"]
    assert [(row[3], pytest.approx(float(row[4]), abs=1e-6)) for row in rows[1:]] == colours
    assert "yellow" in (table := run_cli("predict", run, photo_album / "unlabelled").out) or "blue" in table


def test_no_flags_of_training_are_needed_to_run_the_others(trained_run, photo_album, trained_copy):
    before = (trained_copy / "report.html").read_text()
    (trained_copy / "report.html").unlink()
    output = run_cli("report", trained_copy)
    assert output.out == f"{trained_copy / 'report.html'}\n"
    assert (trained_copy / "report.html").read_text().replace("copy", "run") == before.replace("copy", "run")
    assert "not finished" not in before
    (trained_copy / "finished.json").rename("finished.json")
    run_cli("report", trained_copy)
    assert "This training is not finished; <code>caudex resume" in (trained_copy / "report.html").read_text()
    output = run_cli("compare", trained_copy, trained_run)
    assert output.err == f"caudex: {trained_copy} is not finished; `caudex resume {trained_copy}` goes on with it.\n"
    assert "(not finished)" in " ".join(output.out.split())
    Path("finished.json").rename(trained_copy / "finished.json")
    settings = json.loads((trained_copy / "settings.json").read_text())
    settings["settings"]["lr"] = 0.5
    (trained_copy / "settings.json").write_text(json.dumps(settings))
    table = run_cli("compare", trained_copy, trained_run).out
    assert "lr" in table and "0.5" in table and "0.003" in table
    positions = [table.index(word) for word in ("┃ results", "noisy-student", "┃ cost", "TFLOP", "┃ settings", "--lr")]
    assert positions == sorted(positions)  # in groups
    assert "rounds" not in table  # they do not differ there
    moons = run_cli("train", "two-moons", *SMALL, "--rounds", "1", "--steps", "2").run
    table = run_cli("compare", trained_copy, moons).out
    assert "label spreading" in table and "--steps" in table and "--labels-per-moon" not in table
    assert_refused("predict", moons, photo_album, because="nothing that predicts classes")
    assert_refused("export", moons, because="nothing that has a public format")


def test_what_is_exported_predicts_the_same(trained_run, photo_album):
    import onnxruntime
    from safetensors.torch import load_file

    output = run_cli("export", trained_run, "--to", "out")
    assert output.out.splitlines() == ["out/model.onnx", "out/model.safetensors", "out/classes.json"]
    assert output.err == ""
    session = onnxruntime.InferenceSession("out/model.onnx")
    model = load(trained_run)
    files = sorted(map(str, (photo_album / "unlabelled").rglob("*.*")))
    images = read_images(files, model.image_format)[0]
    run_cli("predict", trained_run, "--csv", "told.csv", *files)
    rows = [
        (row["class"], float(row["confidence"])) for row in csv.DictReader(Path("told.csv").read_text().splitlines())
    ]
    for count in (1, 5, len(files)):  # the example had two
        (probabilities,) = session.run(None, {"images": images[:count].numpy()})
        assert probabilities.shape == (count, 2)
        for row, (name, sure) in zip(probabilities, rows):
            assert model.classes[row.argmax()] == name
            assert row.max() == pytest.approx(sure, abs=1e-5)
    model.load_state_dict(load_file("out/model.safetensors"))


def test_skipped_images_are_counted_and_listed(photo_album, tmp_path):
    root = Path(shutil.copytree(photo_album, tmp_path / "photos"))
    for number in range(60):
        write_photo(root / "unlabelled", True, number, seed=9)
    photo_bytes = write_photo(root / "unlabelled", True, 101).read_bytes()
    (root / "unlabelled" / "cut.jpg").write_bytes(photo_bytes[: len(photo_bytes) // 2])
    (root / "unlabelled" / "empty.png").touch()
    (root / "unlabelled" / "text.png").write_text("this is no image")
    output = run_cli("train", "supervised", "--data", root, *QUICK)
    (line,) = [line for line in output.err.splitlines() if "left out" in line]
    assert "left out of the data: 3 files, the first is" in line and "left out of the data: 3 files: " in output.out
    report = (output.run / "report.html").read_text()
    for name in ("cut.jpg", "empty.png", "text.png"):
        assert name in report
    output = run_cli("predict", output.run, root / "unlabelled", "--csv", "told.csv")
    assert [line.split(": ")[1].split()[0] for line in output.err.splitlines()] == ["skipped"] * 3


def test_folders_are_numbered_and_a_chosen_one_is_used(monkeypatch):
    monkeypatch.setattr(training, "fit", None)
    Path("runs/supervised-1").mkdir(parents=True)
    Path("chosen").mkdir()
    assert terminal.create_run_folder(None, "supervised", cli_hardware()) == Path("runs/supervised-2")
    assert terminal.create_run_folder(None, "supervised", cli_hardware()) == Path("runs/supervised-3")
    assert terminal.create_run_folder(Path("chosen"), "supervised", cli_hardware()) == Path("chosen")
    assert terminal.create_run_folder(Path("a/b/c"), "supervised", cli_hardware()).is_dir()


def cli_hardware():
    from caudex.core.hardware import Hardware

    return Hardware()
