"""The command ask, of a model that has learned nothing: what it prints and writes, and what it refuses."""

import csv

import pytest
from helpers.command_line import assert_refused, run_cli
from helpers.public_models import write_public_folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    write_public_folder(folder / "gpt2", "gpt2", n_positions=256)
    run_cli("import", folder / "gpt2", "--run", folder / "run")
    return folder / "run"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def write_reviews(path, count=20, names=("positive", "negative")):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([f"Review number {i}{'!' * (i % 7)}", names[i % 2]] for i in range(count))
    return path


def test_many_texts_are_calibrated_by_their_median(run, tmp_path):
    printed = run_cli("ask", run, "--task", "sentiment", write_reviews(tmp_path / "r.csv"), "--to", "answers.csv").out
    assert "calibrated by the median of 20 texts, which assumes that the classes are equally frequent" in printed
    assert "answered: positive 50.0%, negative 50.0%" in printed
    assert "of 20 right" in printed and "chance 50.0%, always positive 50.0%" in printed and "AUC 0." in printed
    rows = list(csv.DictReader((tmp_path / "answers.csv").open()))
    assert list(rows[0]) == ["text", "answer", "positive", "negative"]
    assert len(rows) == 20 and {row["answer"] for row in rows} == {"positive", "negative"}
    assert all(float(row["positive"]) + float(row["negative"]) == pytest.approx(1, abs=1e-5) for row in rows)


def test_one_text_is_uncertain(run):
    printed = run_cli("ask", run, "--task", "sentiment", "Good.", "Really", "good.").out
    assert "three texts without content, which is uncertain" in printed and "Good. Really good." in printed
    assert "answered:" not in printed and "AUC" not in printed


def test_examples_fit_the_threshold_and_are_drawn_several_times(run, tmp_path):
    reviews, examples = write_reviews(tmp_path / "r.csv"), write_reviews(tmp_path / "e.csv", 30)
    output = run_cli("ask", run, "--task", "sentiment", reviews, "--examples", examples, "--shots", 2, "--draws", 3)
    assert "calibrated by a threshold that was fitted on the examples" in output.out
    assert "accuracy of one draw of 2 examples:" in output.out and "over 3 draws" in output.out
    assert "left out of the examples, for they are asked about: 20 texts" in output.err


def test_labels_and_prompt_of_ones_own(run, tmp_path):
    (tmp_path / "p.txt").write_text("{text} It was")
    reviews = write_reviews(tmp_path / "r.csv", 20, ("1", "0"))
    words = ("--labels", "1=great,0=a real bore", "--prompt", tmp_path / "p.txt")
    output = run_cli("ask", run, "--task", "sentiment", reviews, *words)
    assert "answered: 1 50.0%, 0 50.0%" in output.out and "of 20 right" in output.out
    assert "words of several tokens are scored by all of them: 'great' 5, 'a real bore' 10" in output.err


def test_schemas_and_questions_are_compared_with_chance(run, tmp_path):
    printed = run_cli("ask", run, "--task", "winograd").out
    assert "of 60 right" in printed and "chance 50.0%: not shown to differ from it" in printed
    assert printed.index("full: ") < printed.index("partial: ")
    (tmp_path / "w.csv").write_text("sentence,candidates,answer\n_ sat on the log.,the cat|the dog,the dog\n")
    assert "partial: " in run_cli("ask", run, "--task", "winograd", "w.csv", "--to", "w-answers.csv").out
    assert (tmp_path / "w-answers.csv").read_text().startswith("sentence,full,partial\n_ sat on the log.,the ")
    (tmp_path / "q.jsonl").write_text('{"question": "Who?", "answer": "Homer"}\n{"question": "What?"}\n')
    assert "0 of 1 right, 0.0%" in run_cli("ask", run, "--task", "qa", "q.jsonl").out
    assert "right" not in run_cli("ask", run, "Who", "sat?").out


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["--task", "mood", "a"], "--task mood is unknown; choose sentiment, winograd, qa"),
        (["--task", "sentiment"], "say of which text"),
        (["--task", "sentiment", "none.csv"], "none.csv is not there"),
        (["--task", "winograd", "no such"], "'no such' is no .csv, .tsv, .jsonl, .json"),
        (["--task", "winograd", "--shots", "2"], "--task winograd has no --shots"),
        (["--task", "qa", "--labels", "a=b,c=d"], "--task qa has no --labels"),
        (["--task", "qa", "--shots", "9", "Who?"], "--shots 9: there are 3 examples of questions"),
        (["--task", "sentiment", "a", "--shots", "9"], "--shots 9: 4 examples come with caudex"),
        (["--task", "sentiment", "a", "--shots", "2", "--labels", "a=b,c=d"], "the packaged examples are for the packaged"),
        (["--task", "sentiment", "a", "--calibrate", "mean"], "--calibrate mean is unknown"),
        (["--task", "sentiment", "a", "--calibrate", "threshold"], "needs labelled texts of each class"),
        (["--task", "sentiment", "a", "--examples", "none.csv"], "none.csv is not there; give a .jsonl or .csv, or a folder"),
        (["--task", "sentiment", "a", "--examples", "numbers.csv"], "--examples numbers.csv: the label '0' is not one of positive"),
        (["--task", "sentiment", "a", "--draws", "0"], "--draws 0 is out of range"),
        (["--task", "sentiment", "a", "--to", "a.txt"], "give a file that ends in .csv"),
        (["--task", "sentiment", "numbers.csv"], "numbers.csv, line 2: the label '1' is not one of positive, negative; say which word "
         "stands for each, as in --labels 0=negative,1=positive"),
        (["--task", "sentiment", "other.csv"], "has no column 'text'. It has: review, label"),
        (["--task", "sentiment", "a.json"], "a.json: give a .csv, .tsv or .jsonl, with the columns text and label"),
        (["--task", "sentiment", "empty.csv"], "has no row with a text"),
    ],
)  # fmt: skip
def test_bad_input_ends_in_one_sentence(run, tmp_path, words, because):
    write_reviews(tmp_path / "numbers.csv", 4, ("1", "0"))
    (tmp_path / "other.csv").write_text("review,label\na,positive\n")
    (tmp_path / "empty.csv").write_text("text,label\n")
    (tmp_path / "a.json").write_text("[]")
    assert_refused("ask", run, *words, because=because)
