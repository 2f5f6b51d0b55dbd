"""suggest, audit and doctor: what they choose and write, the circle back to a training, and what they refuse."""

import csv
import shutil
from pathlib import Path

import pytest
from helpers.cli_runs import QUICK
from helpers.command_line import assert_refused, run_cli
from helpers.photos import write_photos


def rows_of(file):
    return list(csv.DictReader(Path(file).open()))


def is_cat(path):
    """write_photos: of the unlabelled, even numbers are cats."""
    return int(Path(path).stem) % 2 == 0


@pytest.fixture
def pile(tmp_path):
    """Forty photos without label, twelve with."""
    return write_photos(tmp_path / "pile", unlabelled=40)


@pytest.mark.parametrize("by", ["margin", "core-set", "both"])
def test_suggest_chooses_unlabelled_images_and_a_training_takes_the_labels(trained_run, pile, by):
    output = " ".join(
        run_cli("suggest", trained_run, pile, "--count", 10, "--by", by, "--csv", "queue.csv").out.split()
    )
    assert "queue.csv: 10 images. Label them there, or with" in output
    assert f"`caudex label {pile} --queue queue.csv`" in output
    rows = rows_of("queue.csv")
    assert list(rows[0]) == ["path", "label", "suggestion", "reason"] and len(rows) == 10
    paths = [row["path"] for row in rows]
    assert len(set(paths)) == 10 and all(path.startswith("unlabelled/") and (pile / path).exists() for path in paths)
    assert all(row["label"] == "" and row["suggestion"] in row["reason"] for row in rows)
    lines = [f"{path},{'cat' if number % 2 else 'dog'}" for number, path in enumerate(paths)]
    Path("labels.csv").write_text("\n".join(["path,label", *lines]))
    run_cli("train", "supervised", "--data", pile, "--labels", "labels.csv", *QUICK, "--no-calibrate", "--run", "again")
    because = f"without that table images that it learned from would be chosen: caudex audit again {pile} --labels labels.csv."
    assert_refused("audit", "again", pile, because=because)
    assert_refused("suggest", "again", f"{pile}/", because="again learned from the labels in labels.csv")
    output = " ".join(
        run_cli("audit", "again", pile, "--labels", "labels.csv", "--count", 12, "--csv", "audit.csv").out.split()
    )
    assert f"`caudex audit again {pile} --labels labels.csv --count 12 --audited audit.csv`" in output
    assert not {row["path"] for row in rows_of("audit.csv")} & set(paths)


def test_suggest_prints_the_first_where_no_table_is_asked_for(trained_run, pile):
    output = run_cli("suggest", trained_run, pile, "--count", 30).out
    assert "and 10 more; --csv FILE writes them all." in output and "unlabelled/" in output


def test_an_audit_tells_the_accuracy_of_what_was_drawn(trained_run, pile):
    command = ("audit", trained_run, pile, "--count", 30)
    output = " ".join(run_cli(*command, "--csv", "audit.csv").out.split())
    assert f"`caudex label {pile} --queue audit.csv --labels audit.csv --classes cat dog`" in output
    assert f"`caudex audit {trained_run} {pile} --count 30 --audited audit.csv`" in output
    rows = rows_of("audit.csv")
    for row in rows:
        row["label"] = "cat" if is_cat(row["path"]) else "dog"
    with Path("done.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[:25])
        writer.writerow({"path": "unlabelled/elsewhere.png", "label": "cat"})
    output = " ".join(run_cli(*command, "--audited", "done.csv").out.split())
    assert output.startswith("accuracy ") and "on 40 images, by 25 labels" in output
    assert "5 images of 30 that were drawn have no label yet." in output
    assert "left out: 1 label of images that were not drawn" in output


def test_doctor_writes_a_page_and_a_table_that_a_training_takes(pile):
    shutil.copy(pile / "labelled/cat/000.png", pile / "labelled/dog/twice.png")
    output = " ".join(run_cli("doctor", pile, "--trunk", "small", "--run", "examined").out.split())
    assert "examined/report.html" in output
    assert f"`caudex label {pile} --queue examined/labels.csv --labels examined/labels.csv`" in output
    page = Path("examined/report.html").read_text()
    assert "<h1>doctor</h1>" in page and "53 images, 13 labelled" in page
    rows = rows_of("examined/labels.csv")
    assert sum(row["label"] != "" for row in rows) == 13
    table = ("--labels", "examined/labels.csv")
    run_cli("train", "supervised", "--data", pile, *table, *QUICK, "--no-calibrate", "--run", "again")


def test_doctor_asks_for_no_mending_where_nothing_is_odd(pile):
    output = " ".join(run_cli("doctor", pile, "--trunk", "small", "--run", "examined").out.split())
    assert output.endswith("nothing odd was found in 52 images. examined/report.html has the rest.")


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("suggest", "RUN"), "say which images to choose from: caudex suggest"),
        (("suggest", "RUN", "PILE", "--by", "margins"), "--by margins is unknown. Did you mean margin?"),
        (("suggest", "RUN", "PILE", "--count", "0"), "--count 0"),
        (("suggest", "RUN", "PILE/labelled"), "has a label; give a folder with some that have none"),
        (("suggest", "RUN", "nowhere"), "nowhere"),
        (("suggest", "RUN", "PILE", "--csv", "none/queue.csv"), "there is no folder none"),
        (("audit", "RUN", "PILE", "--audited", "few.csv"), "of the 20 images that were drawn; label at least 10"),
        (("audit", "RUN", "PILE", "--audited", "gone.csv"), "gone.csv is not there"),
        (("audit", "RUN", "PILE", "--labels", "few.csv", "--audited", "few.csv"), "is the table of --labels"),
        (("audit", "nothing", "PILE"), "nothing"),
        (("doctor",), "say which images to examine"),
        (("doctor", "PILE", "--trunk", "smal"), "Did you mean small?"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_from_is_refused(trained_run, pile, words, because):
    Path("few.csv").write_text("path,label\nunlabelled/000.png,cat\n")
    names = {"RUN": str(trained_run), "PILE": str(pile)}
    words = [names.get(word, word.replace("PILE", str(pile))) for word in words]
    if "--audited" in words:
        words += ["--count", "20"]
    assert_refused(*words, because=because)


def test_a_class_that_the_run_does_not_know_is_named(trained_run, pile):
    run_cli("audit", trained_run, pile, "--count", 20, "--csv", "audit.csv")
    lines = [f"{row['path']},catt" for row in rows_of("audit.csv")]
    Path("answers.csv").write_text("\n".join(["path,label", *lines]))
    words = ("audit", trained_run, pile, "--count", 20, "--audited", "answers.csv")
    assert_refused(*words, because="'catt' is no class of")
