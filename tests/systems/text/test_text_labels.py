"""text-labels learns the classes of texts."""

import csv
import json

from helpers.command_line import assert_refused, run_cli

from caudex.core.system import load

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


# -- search --------------------------------------------------------------------------------------------------------


def test_classes_of_new_texts_are_predicted(gpt_run, stories_folder, tmp_path):
    words = ("--data", stories_folder / "reviews.csv", "--text", "review", "--label", "mood", "--threads", "1")
    run = run_cli("train", "text-labels", "--from", gpt_run, *words, "--steps", "5").run
    (tmp_path / "one.txt").write_text("The cat sat on the mat again, number 3.")
    output = run_cli(
        "predict", run, tmp_path / "one.txt", stories_folder / "reviews.csv", "--csv", tmp_path / "told.csv"
    )
    rows = list(csv.DictReader((tmp_path / "told.csv").open()))
    assert len(rows) == 121 and output.err == ""
    assert rows[0]["file"].endswith("one.txt") and rows[1]["file"].endswith("reviews.csv, row 1")
    assert {row["class"] for row in rows} <= {"round", "square"}
    assert_refused("predict", run, tmp_path / "none.txt", because="none.txt is not there")
