"""Run folders that are wrong, or were tampered with."""

import json
import os
from pathlib import Path

import pytest
from helpers.cli_runs import TRAIN
from helpers.command_line import assert_refused, invoke, model_bytes, run_cli
from PIL import Image

# -- words that are wrong ------------------------------------------------------------------------------------------


# -- run folders that are wrong ------------------------------------------------------------------------------------


def test_places_where_no_run_can_be():
    Path("full").mkdir()
    Path("full/a.txt").touch()
    assert_refused(*TRAIN, "--run", "full", because="full is not empty; it is no run")
    Path("file").write_text("a")
    assert_refused(*TRAIN, "--run", "file", because="cannot make the run folder file: File exists")
    assert_refused(*TRAIN, "--run", "file/run", because="cannot make the run folder file/run: Not a directory")
    assert_refused(*TRAIN, "--run", "/proc/run", because="cannot make the run folder /proc/run")
    assert_refused("claim", "supervised", "--run", "full", because="full is not empty")
    assert_refused("resume", "full", because="full is not a run folder")
    assert_refused("resume", "file", because="file is not a run folder")
    assert_refused("predict", "full", "full", because="full is not a run folder")


def test_a_run_is_not_overwritten(trained_copy):
    assert_refused(*TRAIN, "--run", trained_copy, because="is not empty; it is a finished run; choose another --run")


@pytest.mark.parametrize(
    "content, because",
    [
        ({"format": 3}, "was written in run format 3; this caudex reads format 2"),
        ({"system": "noisy-studnet"}, "Did you mean noisy-student?"),
        ({"settings": {"colour": 1}}, "'colour', which noisy-student does not know"),
        ({"settings": {"steps": "many"}}, "steps is 'many'"),
        ({"settings": {"data": 5}}, "data is 5"),
        ({"settings": {"lr": -1.0}}, "--lr -1 is out of range"),
        ({"settings": [1, 2]}, "is damaged"),
        ("a: [b", "is damaged"),
        ("", "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        ("!!python/object/apply:os.system ['touch hacked']", "is damaged"),
    ],
)
def test_settings_that_were_tampered_with(trained_copy, content, because):
    file = trained_copy / "settings.json"
    if isinstance(content, dict):
        content = json.dumps(json.loads(file.read_text()) | content)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for words in (
        ("resume", trained_copy),
        ("report", trained_copy),
        ("export", trained_copy),
        ("predict", trained_copy, "x.png"),
    ):
        assert_refused(*words, because=because)
    assert not Path("hacked").exists()


@pytest.mark.parametrize("name", ["spec", "finished", "hardware"])
def test_records_that_were_tampered_with(trained_copy, name):
    (trained_copy / f"{name}.json").write_text("{")
    assert_refused("export", trained_copy, because=f"{name}.json is not readable JSON")
    (trained_copy / f"{name}.json").write_text('{"nonsense": 1}')
    assert_refused("export", trained_copy, because=str(trained_copy))


def test_damaged_weights_are_found_and_written_again(trained_copy, photo_album):
    before = model_bytes(trained_copy)
    for damage in (before[:-100], before[:-1] + bytes([before[-1] ^ 1]), None):
        if damage is None:
            (trained_copy / "model.safetensors").unlink()
        else:
            (trained_copy / "model.safetensors").write_bytes(damage)
        assert_refused(
            "predict", trained_copy, photo_album / "unlabelled", because="model.safetensors is gone or damaged"
        )
    spec = (trained_copy / "spec.json").read_bytes()
    (trained_copy / "spec.json").unlink()
    assert_refused(
        "predict",
        trained_copy,
        photo_album / "unlabelled",
        because=f"{trained_copy}/spec.json is gone; put it back, or `caudex resume",
    )
    run_cli("resume", trained_copy)
    assert model_bytes(trained_copy) == before and (trained_copy / "spec.json").read_bytes() == spec


def test_a_checkpoint_that_was_tampered_with(trained_copy):
    (trained_copy / "model.safetensors").unlink()
    (file,) = (trained_copy / "stages" / "teacher" / "checkpoints").glob("*/weights.safetensors")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    output = invoke("resume", trained_copy)
    assert output.code == 2
    assert output.err == (
        f"caudex: checkpoint {file.parent} was changed after it was written; put it back as it was, or delete that folder "
        "and train this part anew.\n"
    )
    assert file.exists()


def test_predicting_what_is_not_there(trained_run):
    assert_refused("predict", trained_run, "gone.png", because="gone.png is not there")
    Path("empty").mkdir()
    assert_refused("predict", trained_run, "empty", because="empty has no image")
    assert_refused("predict", trained_run, because="say which images")
    Image.new("L", (9, 9)).save("a.png")
    assert_refused(
        "predict",
        trained_run,
        "a.png",
        "--csv",
        "nowhere/told.csv",
        because="there is no folder nowhere; make it first",
    )
    Path("file").touch()
    assert_refused("export", trained_run, "--to", "file", because="file")


def test_nothing_that_was_there_is_written_over(trained_run):
    Image.new("L", (9, 9)).save("a.png")
    Path("labels.csv").write_text("path,label\na.png,cat\n")
    assert_refused("predict", trained_run, "a.png", "--csv", "labels.csv", because="labels.csv exists already")
    assert Path("labels.csv").read_text() == "path,label\na.png,cat\n"
    for name in ("model.onnx", "model.safetensors"):
        Path(name).mkdir()
        Path(name, name).write_bytes(b"another's")
        assert_refused("export", trained_run, "--to", name, because=f"{name} holds a model already")
        assert Path(name, name).read_bytes() == b"another's"


def test_names_that_are_hard_to_print(trained_run):
    Path("[").mkdir()
    for name in ("[b]bold.png", "[/x].png", "with space.png", ":smile:.png", os.fsdecode(b"caf\xe9.png")):
        Image.new("L", (9, 9), 99).save(name)
        assert "confidence" in run_cli("predict", trained_run, name).out
        run_cli("predict", trained_run, name, "--csv", "told.csv")
        assert os.fsencode(name) in Path("told.csv").read_bytes()
        Path("told.csv").unlink()
    assert "[b]bold.png" in run_cli("predict", trained_run, "[b]bold.png").out
    long = Path("a" * 60, "b" * 60 + ".png")
    long.parent.mkdir()
    Image.new("L", (9, 9), 99).save(long)
    printed = run_cli("predict", trained_run, long).out
    assert printed.count("a") >= 60 and printed.count("b") >= 60  # folded, not cut
