"""text-labels learns the classes of texts."""

import csv
import json

import pytest
from helpers.command_line import assert_refused, run_cli

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.system import load
from caudex.systems.text.text_labels import TextLabels


@pytest.fixture(scope="module")
def labels_run(gpt_run, stories_folder, tmp_path_factory):
    words = ("--data", stories_folder / "reviews.csv", "--text", "review", "--label", "mood", "--threads", "1")
    run = tmp_path_factory.mktemp("labels") / "run"
    return run_cli("train", "text-labels", "--from", gpt_run, *words, "--steps", "5", "--run", run).run


# -- labels --------------------------------------------------------------------------------------------------------


def test_classes_of_texts_are_learned_beside_words_counted(gpt_run, stories_folder):
    words = ("--data", stories_folder / "reviews.csv", "--text", "review", "--label", "mood", "--threads", "1")
    output = run_cli("train", "text-labels", "--from", gpt_run, *words, "--steps", "150", "--batch", "16")
    results = json.loads((output.run / "results.json").read_text())
    assert results["fine-tuned"]["accuracy"] > 0.9
    assert {"from scratch", "words counted"} <= results.keys()
    assert (output.run / "figures" / "word-by-word.png").exists()
    model = load(output.run)
    predictions = model.predict(["The cat sat on the mat again, number 7.", "The fox sat on the box again, number 7."])
    assert [name for name, _ in predictions] == ["round", "square"]
    assert_refused("train", "text-labels", *words, "--from", output.run.parent, because="is not a run folder")
    assert_refused("claim", "text-labels", *words, because="--from is missing")
    assert_refused("train", "text-labels", *words[:4], "--label", "mod", because="has no column 'mod'")


def test_labels_of_one_class_are_refused(stories_folder, tmp_path):
    (tmp_path / "one.csv").write_text("text,label\nfine,good\nnice,good\n")
    assert_refused("train", "text-labels", "--data", tmp_path / "one.csv", because="a classifier needs two")


DAMAGES = {
    "no gain": lambda results: results.pop("gain over words counted"),
    "no baseline": lambda results: results.pop("words counted"),
    "a gain without a verdict": lambda results: results["gain over words counted"].pop("verdict"),
    "a number for a row": lambda results: results.update({"words counted": 3}),
    "an accuracy of 7": lambda results: results["fine-tuned"].update(accuracy=7),
    "an accuracy without an interval": lambda results: results["fine-tuned"].pop("low"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_results_end_in_one_sentence(labels_run, tmp_path, damage):
    results = json.loads((labels_run / "results.json").read_text())
    run = Run(tmp_path / "run")
    run.write_json("results", results)
    assert TextLabels().read_results(run) == results
    DAMAGES[damage](results)
    run.write_json("results", results)
    with pytest.raises(CaudexError, match="is not as caudex wrote it"):
        TextLabels().read_results(run)


# -- search --------------------------------------------------------------------------------------------------------


def test_classes_of_new_texts_are_predicted(labels_run, stories_folder, tmp_path):
    run = labels_run
    (tmp_path / "one.txt").write_text("The cat sat on the mat again, number 3.")
    output = run_cli(
        "predict", run, tmp_path / "one.txt", stories_folder / "reviews.csv", "--csv", tmp_path / "told.csv"
    )
    rows = list(csv.DictReader((tmp_path / "told.csv").open()))
    assert len(rows) == 121 and output.err == ""
    assert rows[0]["file"].endswith("one.txt") and rows[1]["file"].endswith("reviews.csv, row 1")
    assert {row["class"] for row in rows} <= {"round", "square"}
    assert_refused("predict", run, tmp_path / "none.txt", because="none.txt is not there")


def test_a_prompt_that_does_better_than_the_head_is_warned_of():
    row = {"accuracy": 0.7, "low": 0.6, "high": 0.8, "test_size": 100}
    gains = {name: {"gain": gain, "low": gain - 0.01, "high": gain + 0.01, "verdict": "worse"} for name, gain in {
        "gain over words counted": 0.1, "gain over prompting without labels": -0.05
    }.items()}  # fmt: skip
    (warning,) = TextLabels().warn({"frozen trunk, logistic regression": row, **gains})
    assert warning.startswith("prompting without labels does better here (-5.0 points") and "caudex ask" in warning
