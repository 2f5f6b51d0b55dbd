"""supervised learns tags and numbers of a table, measures and predicts them; the others refuse them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_runs import SMALL
from helpers.command_line import assert_refused, run_cli
from helpers.tables import write_table, write_tagged_images

from caudex.core.system import load
from caudex.data import read_images


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    """A folder of images, of which ten are not in the tables, and what is true of them."""
    root = tmp_path_factory.mktemp("tagged")
    rows = write_tagged_images(root / "photos", 80)
    write_table(root / "tags.csv", "path,tags", [(name, "|".join(sorted(tags))) for name, tags, _ in rows[:70]])
    numbers = [(name, degrees, "yes" if "sky" in tags else "no") for name, tags, degrees in rows[:70]]
    write_table(root / "numbers.csv", "path,degrees,sky", numbers)
    return root, rows


def test_tags_are_learned_measured_predicted_and_exported(tagged):
    root, rows = tagged
    words = ("--data", root / "photos", "--labels", root / "tags.csv", *SMALL, "--steps", "80")
    output = run_cli("train", "supervised", *words)
    assert output.out.startswith("2 tags; 56 labelled, 10 unlabelled, 14 test images of 16 x 16\nimages with each tag")
    row = json.loads((output.run / "results.json").read_text())["supervised"]["tags"]
    assert row["mean_average_precision"] > 0.9 > row["share"] and set(row["by_tag"]) == {"bar", "sky"}
    assert "average precision" in (output.run / "report.html").read_text()
    run_cli("predict", output.run, "--csv", "tags.csv", "--probabilities", root / "photos")
    header, *cells = csv.reader(Path("tags.csv").read_text().splitlines())
    assert header == ["file", "tags", "probabilities", "bar", "sky"]
    predicted = [set(filter(None, tags.split("|"))) for _, tags, *_ in cells]
    assert np.mean([tags == truth for tags, (_, truth, _) in zip(predicted, rows)]) > 0.8
    _, names, probabilities, *shares = next(row for row in cells if "|" in row[1])
    assert [float(p) for p in probabilities.split("|")] == sorted(map(float, shares), reverse=True)
    assert sorted(names.split("|")) == ["bar", "sky"]
    assert_refused("predict", output.run, "--top", "2", root / "photos", because="--top 2 is about classes")


def test_a_number_is_learned_measured_and_predicted_in_its_units(tagged):
    root, rows = tagged
    words = ("--data", root / "photos", "--labels", root / "numbers.csv", "--target", "number:degrees", *SMALL)
    output = run_cli("train", "supervised", *words, "--steps", "150", "--magnitude", "0", "--also", "labels:sky")
    assert "degrees: from 20 to 38, on average 2" in output.out
    results = json.loads((output.run / "results.json").read_text())
    row = results["supervised"]["number"]
    assert row["r_squared"] > 0.3 and row["gain_over_mean"]["gain"] > 0 and "accuracy" in results["supervised, sky"]
    assert "R squared" in output.out
    files = [str(root / "photos" / name) for name, *_ in rows]
    run_cli("predict", output.run, "--csv", "degrees.csv", *files)
    header, *cells = csv.reader(Path("degrees.csv").read_text().splitlines())
    assert header == ["file", "degrees", "sky", "confidence in sky"]
    predicted, truth = np.array([float(row[1]) for row in cells]), np.array([degrees for *_, degrees in rows])
    assert np.corrcoef(predicted, truth)[0, 1] > 0.6 and abs(predicted.mean() - truth.mean()) < 3
    model = load(output.run)
    assert model.predict(read_images(files, model.image_format)[0]) == pytest.approx(predicted.tolist(), rel=1e-4)
    assert [file.name for file in model.export(Path())] == ["model.onnx", "model.safetensors"]


@pytest.mark.parametrize("system", ["noisy-student", "two-heads"])
def test_systems_of_classes_refuse_tags(tagged, system):
    words = ("--data", tagged[0] / "photos", "--labels", tagged[0] / "tags.csv", *SMALL)
    sentence = f"{system} learns classes, and column 'tags' has tags: `caudex train supervised` learns these"
    assert_refused("train", system, *words, because=sentence)


def test_what_is_about_classes_is_refused_for_tags(tagged):
    words = ("supervised", "--data", tagged[0] / "photos", "--labels", tagged[0] / "tags.csv", *SMALL)
    assert_refused("train", *words, "--balanced", because="--balanced is about classes, and column 'tags' has tags")
    assert_refused("train", *words, "--labels-per-class", "2", because="tags are no classes")
    assert_refused("train", *words, "--target", "age", because="--target age: say class:COLUMN")
