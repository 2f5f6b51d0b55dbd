"""The command line as a person meets it: every command, every mistake in one line, every interruption mended."""

import csv
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.command_line import CAUDEX, assert_refused, invoke, model_bytes, run_cli
from helpers.photos import ENDINGS, bomb, photos, snap
from PIL import Image

from caudex import load
from caudex.cli import terminal
from caudex.cli.commands import COMMANDS
from caudex.core import fit as training
from caudex.core import registry as names
from caudex.core.run import Run
from caudex.models.classifier import Classifier
from caudex.signals import Labels
from caudex.systems.text.shared import read

SMALL = ("--scale", "tiny", "--threads", "1")
QUICK = (*SMALL, "--steps", "6", "--width", "4")
DIGITS = ("train", "supervised", *SMALL, "--labels-per-class", "1", "--width", "4")


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    return photos(tmp_path_factory.mktemp("album") / "photos", test=2)


@pytest.fixture(scope="module")
def trained(album, tmp_path_factory) -> Path:
    """A run of noisy-student on photos."""
    run = tmp_path_factory.mktemp("trained") / "run"
    said = run_cli("train", "noisy-student", "--data", album, "--rounds", "1", *QUICK, "--run", run)
    assert said.run == run
    return run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """Thirty steps on digits that nobody interrupts."""
    return run_cli(*DIGITS, "--steps", "30", "--run", tmp_path_factory.mktemp("undisturbed") / "run").run


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


# --- what a newcomer sees ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--help"], [], ["list"], ["train", "--help"], ["--version"]])
def test_the_first_screens_come_at_once_and_without_torch(words):
    code = f"import sys; from caudex.cli import main as cli\ntry: cli.main({words})\nexcept SystemExit: pass\n"
    code += "heavy = {'torch', 'numpy', 'lightning', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)\n"
    code += "import resource; print(heavy or '', resource.getrusage(resource.RUSAGE_SELF).ru_utime < 1)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1].strip() == "True"
    assert said.stderr == ""
    assert max(map(len, said.stdout.splitlines())) <= 80


def test_list_shows_every_system_and_signal_and_what_to_take():
    said = run_cli("list").out
    runner = ("replay", "rollouts")  # what acts is added to nothing
    for name in (
        *names.class_paths("systems"),
        *(n for n in names.class_paths("signals") if names.signal_needs(n) not in runner),
    ):
        assert name in said
    assert "Take noisy-student" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80


SHORT = {"probe": "probe RUN", "labels-saved": "labels-saved"}


@pytest.mark.parametrize("name", names.class_paths("systems"))
def test_help_teaches_in_eighty_columns(name):
    said = run_cli("train", name, "--help").out
    assert max(map(len, said.splitlines())) <= 80
    for words in (
        "examples:",
        f"caudex {SHORT.get(name, f'train {name}')} --scale tiny",
        f"caudex claim {name}",
        "--run",
        "--seed",
        "--steps",
    ):
        assert words in " ".join(said.split())
    assert "None" not in said and "default: )" not in said
    bare = r"--\S+ [A-Z]+\W*(\(default|--)"  # every setting has a sentence of its own
    assert not re.search(bare, said), re.search(bare, said)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("train", "claim")])
def test_every_command_has_a_help(command):
    said = run_cli(command, "--help").out
    assert "None" not in said
    if command in SHORT:  # systems of their own
        assert f"caudex {command} " in said and "examples:" in said
        return
    assert COMMANDS[command].split(": ")[-1].split()[0] in said
    assert f"usage: caudex {command}" in said


# --- the main job ------------------------------------------------------------------------------------------------


def test_the_two_commands_of_the_readme():
    train = [*CAUDEX, "train", "noisy-student", *SMALL, "--rounds", "1", "--steps", "10", "--width", "4"]
    said = subprocess.run(train, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "runs/noisy-student-1"
    assert said.stdout.startswith("10 classes; 100 labelled, 1,247 unlabelled, 450 test images of 16 x 16\n")
    assert all(word in said.stdout for word in ("noisy-student", "supervised", "gain"))
    assert "Traceback" not in said.stderr
    run = Path("runs/noisy-student-1")
    assert yaml.safe_load((run / "settings.yaml").read_text())["settings"]["rounds"] == 1
    assert "<h2>Results</h2>" in (run / "report.html").read_text()
    Image.fromarray(np.full((8, 8), 200, dtype=np.uint8)).save("new.png")
    rows = run_cli("predict", run, "new.png").out
    assert "new.png" in rows and "confidence" in rows


def test_a_folder_of_photos_trains_and_predicts(trained, album):
    assert json.loads((trained / "facts.json").read_text())["classes"] == ["cat", "dog"]
    files = sorted((album / "unlabelled").rglob("*.*"))
    said = run_cli("predict", trained, "--csv", "told.csv", *files)
    assert (said.out, said.err) == ("told.csv\n", "")
    rows = list(csv.reader(Path("told.csv").read_text().splitlines()))
    assert rows[0] == ["file", "class", "confidence"]
    assert [row[0] for row in rows[1:]] == [str(file) for file in files]
    told = load(trained).predict(read(map(str, files), load(trained).shape)[0])
    assert [(name, pytest.approx(float(sure), abs=1e-6)) for _, name, sure in rows[1:]] == told


def test_predict_takes_folders_and_the_csv_may_come_last(trained, album):
    run_cli("predict", trained, album / "unlabelled", "--csv", "a.csv")
    rows = Path("a.csv").read_text().splitlines()
    assert len(rows) == 1 + 8
    table = run_cli("predict", trained, album / "unlabelled").out
    assert table.count("%") == 8
    assert "cat" in table or "dog" in table


def test_labels_in_a_table_and_a_second_column_of_labels(album):
    rows = ["path,label,colour"]
    rows += [f"labelled/{name}/{n:03}.{ENDINGS[n % 4]},{name},{'yellow' if name == 'cat' else 'blue'}"
             for name in ("cat", "dog") for n in range(6)]  # fmt: skip
    Path("few.csv").write_text("\n".join(rows))
    settings = ("--data", album, "--labels", "few.csv", *QUICK)
    run = run_cli("train", "two-heads", *settings, "--also", "labels:colour:0.5", "--also", "rotation:0.1").run
    assert json.loads((run / "facts.json").read_text())["columns"]["colour"] == ["blue", "yellow"]
    about = json.loads((run / "stages" / "two-heads" / "about.json").read_text())
    assert about["weights"] == {"labels": 1.0, "labels-colour": 0.5, "rotation": 0.1}


def test_no_settings_of_training_are_needed_to_run_the_others(trained, album, copy):
    before = (copy / "report.html").read_text()
    (copy / "report.html").unlink()
    said = run_cli("report", copy)
    assert said.out == f"{copy / 'report.html'}\n"
    assert (copy / "report.html").read_text().replace("copy", "run") == before.replace("copy", "run")
    assert "not finished" not in before
    (copy / "finished.json").rename("finished.json")
    run_cli("report", copy)
    assert "This training is not finished; <code>caudex resume" in (copy / "report.html").read_text()
    said = run_cli("compare", copy, trained)
    assert said.err == f"caudex: {copy} is not finished; `caudex resume {copy}` goes on with it.\n"
    assert "(not finished)" in " ".join(said.out.split())
    Path("finished.json").rename(copy / "finished.json")
    settings = yaml.safe_load((copy / "settings.yaml").read_text())
    settings["settings"]["lr"] = 0.5
    (copy / "settings.yaml").write_text(yaml.safe_dump(settings))
    table = run_cli("compare", copy, trained).out
    assert "lr" in table and "0.5" in table and "0.003" in table
    places = [table.index(word) for word in ("┃ results", "noisy-student", "┃ cost", "TFLOP", "┃ settings", "--lr")]
    assert places == sorted(places)  # in groups
    assert "rounds" not in table  # they do not differ there
    moons = run_cli("train", "two-moons", *SMALL, "--rounds", "1", "--steps", "2").run
    table = run_cli("compare", copy, moons).out
    assert "label spreading" in table and "--steps" in table and "--labels-per-moon" not in table
    assert_refused("predict", moons, album, because="nothing that predicts classes")
    assert_refused("export", moons, because="nothing that can be exported")


def test_what_is_exported_predicts_the_same(trained, album):
    import onnxruntime
    from safetensors.torch import load_file

    said = run_cli("export", trained, "--to", "out")
    assert said.out.splitlines() == ["out/model.onnx", "out/model.safetensors"]
    assert said.err == ""
    session = onnxruntime.InferenceSession("out/model.onnx")
    model = load(trained)
    files = sorted(map(str, (album / "unlabelled").rglob("*.*")))
    images = read(files, model.shape)[0].float() / 255
    run_cli("predict", trained, "--csv", "told.csv", *files)
    told = [
        (row["class"], float(row["confidence"])) for row in csv.DictReader(Path("told.csv").read_text().splitlines())
    ]
    for count in (1, 5, len(files)):  # the example had two
        (probabilities,) = session.run(None, {"images": images[:count].numpy()})
        assert probabilities.shape == (count, 2)
        for row, (name, sure) in zip(probabilities, told):
            assert model.classes[row.argmax()] == name
            assert row.max() == pytest.approx(sure, abs=1e-5)
    model.load_state_dict(load_file("out/model.safetensors"))


def test_skipped_pictures_are_counted_and_listed(album, tmp_path):
    root = Path(shutil.copytree(album, tmp_path / "photos"))
    for number in range(60):
        snap(root / "unlabelled", True, number, seed=9)
    whole = snap(root / "unlabelled", True, 101).read_bytes()
    (root / "unlabelled" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "unlabelled" / "empty.png").touch()
    (root / "unlabelled" / "text.png").write_text("this is no image")
    said = run_cli("train", "supervised", "--data", root, *QUICK)
    (line,) = [line for line in said.err.splitlines() if "left out" in line]
    assert "left out of the data: 3, the first is" in line and "3 unreadable ones left out" in said.out
    report = (said.run / "report.html").read_text()
    for name in ("cut.jpg", "empty.png", "text.png"):
        assert name in report
    said = run_cli("predict", said.run, root / "unlabelled", "--csv", "told.csv")
    assert [line.split(": ")[1].split()[0] for line in said.err.splitlines()] == ["skipped"] * 3


def test_folders_are_numbered_and_a_chosen_one_is_used(monkeypatch):
    monkeypatch.setattr(training, "fit", None)
    Path("runs/supervised-1").mkdir(parents=True)
    Path("chosen").mkdir()
    assert terminal.new_folder(None, "supervised", cli_hardware()) == Path("runs/supervised-2")
    assert terminal.new_folder(None, "supervised", cli_hardware()) == Path("runs/supervised-3")
    assert terminal.new_folder(Path("chosen"), "supervised", cli_hardware()) == Path("chosen")
    assert terminal.new_folder(Path("a/b/c"), "supervised", cli_hardware()).is_dir()


def cli_hardware():
    from caudex.core.hardware import Hardware

    return Hardware()


# --- claims ------------------------------------------------------------------------------------------------------


def test_a_claim_of_two_seeds(tmp_path):
    said = run_cli("claim", "supervised", *QUICK, "--labels-per-class", "2", "--seeds", "2", "--workers", "2")
    claim = json.loads((said.run / "claim.json").read_text(), parse_constant=pytest.fail)
    assert said.run == Path("runs/claim-supervised-1")
    assert claim["system"] == "supervised" and claim["scale"] == "tiny" and claim["seeds"] == [0, 1]
    assert claim["statement"] and claim["seconds"] > 0
    assert claim["interval"][0] < claim["figure"] < claim["interval"][1]
    assert set(claim["baselines"]) == {"support vector machine"}
    assert claim["shown"] is False  # six steps are not enough, which is no error
    assert claim["command"].startswith("caudex claim supervised --scale tiny")
    assert "not shown" in said.out
    again = run_cli("claim", "supervised", *QUICK, "--labels-per-class", "2", "--seeds", "2", "--run", said.run)
    assert json.loads((again.run / "claim.json").read_text())["figure"] == claim["figure"]
    assert_refused(
        "claim", "supervised", *QUICK, "--labels-per-class", "3", "--run", said.run, because="other settings"
    )
    assert_refused("predict", said.run, "x.png", because="is a claim, not a model")


def test_a_claim_over_several_widths_of_one_seed():
    words = ("claim", "supervised", *SMALL, "--steps", "4", "--labels-per-class", "1", "--seeds", "1")
    said = run_cli(*words, "--over", "width=4,8")
    claim = json.loads((said.run / "claim.json").read_text(), parse_constant=pytest.fail)
    assert (claim["over"], [part["value"] for part in claim["values"]]) == ("width", [4, 8])
    assert claim["values"][0]["interval"] is None  # one seed has none
    assert (said.run / "figures" / "over-width.png").exists()
    assert "width" in said.out and "one seed" in said.out


def test_a_killed_claim_goes_on():
    words = ["claim", "supervised", *QUICK, "--labels-per-class", "1", "--seeds", "3", "--run", "claim"]
    process = subprocess.Popen([*CAUDEX, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = Path("claim/stages/seed-0/claim.json")
    wait(lambda: first.exists(), process)
    process.kill()
    process.communicate(timeout=60)  # its worker holds the other end: it has gone too
    measured = first.stat().st_mtime
    said = run_cli("resume", "claim")
    assert said.run == Path("claim")
    assert json.loads(Path("claim/claim.json").read_text())["seeds"] == [0, 1, 2]
    assert first.stat().st_mtime == measured


def test_ctrl_c_reaches_the_workers_of_a_claim():
    words = ["claim", "supervised", *QUICK, "--steps", "100000", "--workers", "2", "--seeds", "3", "--run", "claim"]
    process = subprocess.Popen([*CAUDEX, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait(lambda: len(list(Path("claim").glob("stages/seed-*/stages/*/metrics.jsonl"))) == 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert err == "caudex: stopped; `caudex resume claim` goes on.\n"
    for seed in (0, 1):
        assert any(Path(f"claim/stages/seed-{seed}").rglob("checkpoints/*"))  # it was saved
    assert not Path("claim/stages/seed-2").exists()


def test_a_trunk_is_probed_and_its_data_need_not_be_named_again():
    first = run_cli("train", "rotation", *QUICK, "--run", "first").run
    said = run_cli("probe", first, "--scale", "tiny", "--steps", "4", "--threads", "1")
    assert said.run == Path("runs/probe-1")
    assert all(
        words in said.out for words in ("linear probe, stage1", "20 nearest neighbours", "fine-tuned with 136 labels")
    )
    settings = yaml.safe_load((said.run / "settings.yaml").read_text())["settings"]
    assert (settings["start"], settings["width"], settings["data"]) == ("first", 4, "digits")
    assert "What each layer is worth" in (said.run / "report.html").read_text()
    assert_refused("probe", "nowhere", because="nowhere is not a run folder")
    assert_refused("probe", first, "--width", "6", because="has another network; add --width 4.")
    Run("films").save_settings("next-frame", {"data": "sprites"})
    assert_refused("probe", "films", because="did not learn from images; say on which to probe it")


def test_a_killed_panel_goes_on_to_the_same_table(tmp_path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 90, (60, 16, 16), dtype=np.uint8)
    images[::2, 4:9] += 120
    np.savez("bars.npz", x=images, y=np.arange(60) % 2)
    words = ["labels-saved", "--data", "bars.npz", "--steps", "6", "--batch", "8", "--width", "4", "--counts", "2"]
    words += ["--draws", "2", "--first", "rotation", "--beside", "rotation:0.5", "--processes", "1", "--threads", "1"]
    whole = run_cli(*words, "--run", "whole").run
    process = subprocess.Popen([*CAUDEX, *words, "--run", "cut"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait(lambda: len(list(Path("cut").glob("stages/cells/*/cell.json"))) > 3, process)
    process.kill()
    process.communicate(timeout=60)
    measured = {file: file.stat().st_mtime for file in Path("cut").glob("stages/cells/*/cell.json")}
    run_cli("resume", "cut")
    assert all(file.stat().st_mtime == when for file, when in measured.items())
    table = "tables/cells.csv"
    assert (whole / table).read_text() == (Path("cut") / table).read_text()


def wait(until, process, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not until():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()  # lest it goes on beside all other tests
            raise AssertionError(process.communicate())
        time.sleep(0.01)


# --- interrupted, killed, out of budget --------------------------------------------------------------------------


def interrupt(monkeypatch, step: int, number: int = signal.SIGINT) -> None:
    """Sends the signal to this process in the middle of that step."""
    steps, before = iter(range(step + 1)), training._next

    def drawn(*args):
        if next(steps, None) == step - 1:
            os.kill(os.getpid(), number)
        return before(*args)

    monkeypatch.setattr(training, "_next", drawn)


def test_after_ctrl_c_the_run_goes_on_to_the_same_weights(monkeypatch, undisturbed):
    with monkeypatch.context() as patch:
        interrupt(patch, 13)
        said = invoke(*DIGITS, "--steps", "30", "--run", "run")
    assert said.code == 130
    assert said.err == "caudex: stopped; `caudex resume run` goes on.\n"
    assert Path("run/stages/supervised/checkpoints/13").is_dir()
    assert_refused("predict", "run", "x.png", because="`caudex resume run` goes on with it")
    assert run_cli("resume", "run").run == Path("run")
    assert model_bytes("run") == model_bytes(undisturbed)
    metrics = "stages/supervised/metrics.jsonl"
    assert Path("run", metrics).read_bytes() == (undisturbed / metrics).read_bytes()
    assert_refused("resume", "run", because="is finished")


def test_a_killed_run_goes_on_to_the_same_weights():
    words = (*DIGITS, "--steps", "150")
    often = ("--save-seconds", "0.05", "--run", "killed")
    process = subprocess.Popen([*CAUDEX, *words, *often], stdout=subprocess.DEVNULL)
    wait(lambda: len(list(Path().glob("killed/stages/*/checkpoints/[0-9]*"))) > 0, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not Path("killed/model.safetensors").exists()
    run_cli("resume", "killed")
    assert model_bytes("killed") == model_bytes(run_cli(*words).run)


def test_the_folder_in_which_one_trains_is_locked(undisturbed):
    holder = "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(1); time.sleep(60)"
    shutil.copytree(undisturbed, "run")
    Path("run/model.safetensors").unlink()
    process = subprocess.Popen([sys.executable, "-uc", holder, "run"], stdout=subprocess.PIPE)
    process.stdout.readline()
    assert_refused("resume", "run", because="another process is at work in run")
    process.kill()
    process.wait()


def test_a_budget_in_minutes_ends_in_time():
    said = run_cli(*DIGITS, "--minutes", "0.1")
    assert 5.5 < json.loads((said.run / "stages/supervised/finished.json").read_text())["seconds"] < 9


def test_a_budget_in_operations_is_kept():
    said = run_cli(*DIGITS, "--flops", "1e9")
    assert 1e9 <= json.loads((said.run / "stages/supervised/finished.json").read_text())["flops"] < 1.3e9


def test_two_processes_leave_one_run_and_say_so_once():
    alone = ("train", "supervised", *QUICK, "--labels-per-class", "1")
    words = (*alone, "--devices", "2", "--strategy", "ddp")
    said = subprocess.run([*CAUDEX, *words], capture_output=True, text=True, timeout=240)
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
    assert said.stdout.splitlines()[-1] == "runs/supervised-1"
    assert said.stdout.count("runs/supervised-1") == said.stdout.count("TFLOP") == 1
    assert [path.name for path in Path("runs").iterdir()] == ["supervised-1"]
    pair, one = (
        [json.loads(row) for row in (run / "stages/supervised/metrics.jsonl").read_text().splitlines()]
        for run in (Path("runs/supervised-1"), run_cli(*alone).run)
    )
    for counted in ("step", "samples", "flops"):  # the batch was shared out, and nothing was written twice
        assert [row.get(counted) for row in pair] == [row.get(counted) for row in one]
    assert json.loads(Path("runs/supervised-1/results.json").read_text())["supervised"]["tested"] == 450
    broken = [*CAUDEX, *words, "--data", "nowhere/"]
    said = subprocess.run(broken, capture_output=True, text=True, timeout=240)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1


# --- words that are wrong ----------------------------------------------------------------------------------------

TRAIN = ("train", "supervised", *SMALL)


@pytest.mark.parametrize(
    "words, because",
    [
        ("trian", "Did you mean train?"),
        ("train", "say which system"),
        ("train --data photos", "say which system"),
        ("train noisy-studnet", "Did you mean noisy-student?"),
        ("train supervised photos", "'photos' belongs to no setting; usage: `caudex train supervised"),
        ("train supervised --scale huge", "no scale 'huge'; it has laptop, tiny, paper"),
        ("train supervised --scale", "--scale needs a value"),
        ("train supervised --leraning-rate 1", "no setting --leraning-rate"),
        ("train supervised --step 5", "Did you mean --steps?"),
        ("train supervised --lr", "--lr needs a value"),
        ("train supervised --lr fast", "--lr 'fast' is not a number"),
        ("train supervised --lr nan", "--lr nan is out of range"),
        ("train supervised --lr -0.1", "--lr -0.1 is out of range"),
        ("train supervised --steps 1.5", "--steps '1.5' is not a whole number"),
        ("train supervised --steps -5", "--steps -5 trains nothing"),
        ("train supervised --steps 0", "--steps 0 trains nothing"),
        ("train supervised --minutes 0", "--minutes 0 trains nothing"),
        ("train supervised --minutes inf", "--minutes inf trains nothing"),
        ("train supervised --flops -1", "--flops -1 trains nothing"),
        ("train supervised --seed -1", "--seed -1 is out of range"),
        ("train supervised --width 1e9", "is not a whole number"),
        ("train supervised --width 100000", "--width 100000 is out of range; it must be between 4 and 4096"),
        ("train supervised --mirror maybe", "'maybe' belongs to no setting"),
        ("train supervised --batch 0", "--batch 0 is out of range"),
        ("train supervised --batch 1000000000000", "is out of range; it must be between 2 and 1048576"),
        ("train gpt --batch 1000000000000", "is out of range; it must be between 1 and 1048576"),
        ("train supervised --labels-per-class -1", "--labels-per-class -1 is out of range"),
        ("train supervised --labels-per-class 1000", "class '0' has 133 labelled images"),
        ("train supervised --size 2", "give one from 4 to 4096"),
        ("train supervised --threads -1", "--threads -1 is out of range"),
        ("train supervised --save-seconds -1", "--save-seconds -1 is out of range"),
        ("train supervised --price -1", "--price -1 is out of range"),
        ("train supervised --devices 0", "--devices 0 is out of range"),
        ("train supervised --devices 1000 --device cpu", "--devices 1000 are too many processes"),
        ("train supervised --nodes 0", "--nodes 0 is out of range"),
        ("train supervised --device toaster", "cannot compute with --device toaster"),
        ("train supervised --precision nonsense", "cannot compute with --precision nonsense"),
        ("train supervised --strategy nonsense", "cannot compute with --strategy nonsense"),
        ("train supervised --devices 2 --strategy ddp_spawn", "use ddp"),
        ("train two-moons --also rotation", "it needs unlabelled images, which this system has not"),
        ("claim supervised --data nowhere/ --seeds 2", "nowhere/ is not there"),
        ("train supervised --also rotatoin", "Did you mean rotation?"),
        ("train supervised --also unknown:1", "'unknown' is not among the signals"),
        ("train supervised --also rotation:-1", "a weight must be positive and finite"),
        ("train supervised --also rotation:nan", "a weight must be positive and finite"),
        ("train supervised --data nowhere/ --also rotatoin", "Did you mean rotation?"),
        ("train supervised --data nowhere/ --also rotation rotation:2", "each signal can be added once"),
        ("train simclr --data nowhere/ --also depth", "--also depth: it needs scenes whose every pixel is known"),
        ("train text-labels --data nowhere/ --also masked-token", "it needs pairs of passages"),
        ("labels-saved --data nowhere/ --beside next-frame", "--also next-frame: it needs videos"),
        ("train supervised --also rotation:x", "'x' is neither a weight nor anything that this signal knows"),
        ("train supervised --steps 5 --minutes 1", "--steps and --minutes are both budgets"),
        ("train supervised --also labels:colour", "labels:colour names no further column"),
        ("train supervised --also labels", "labels:COLUMN names no further column"),
        ("train supervised --also rotation rotation:2", "each signal can be added once"),
        ("train supervised --data digitz", "did you mean digits?"),
        ("train supervised --data nowhere/", "nowhere/ is not there"),
        ("train supervised --labels few.csv", "goes with a folder of images"),
        ("train supervised --data hf:", "hf:"),
        ("claim supervised --over nonsense=1", "with a setting of supervised that is a number"),
        ("claim supervised --over widht=8", "Did you mean width?"),
        ("claim supervised --over data=1", "that is a number"),
        ("claim supervised --over mirror=1", "that is a number"),
        ("claim supervised --over seed=1", "that is a number"),
        ("claim supervised --over width", "NAME=V1,V2"),
        ("claim supervised --over width=", "NAME=V1,V2"),
        ("claim supervised --over width=8,wide", "values must be whole numbers"),
        ("claim supervised --over width=8,8.5", "values must be whole numbers"),
        ("claim supervised --over width=8,8", "two values are the same"),
        ("claim supervised --over width=8,1", "--width 1 is out of range"),
        ("claim supervised --seeds 0", "--seeds 0"),
        ("claim supervised --workers 0", "--workers 0"),
        ("claim supervised --devices 2", "use --workers, not --devices"),
        ("claim nothing", "'nothing' is not among the systems"),
        ("predict", "usage: `caudex predict RUN FILES...`"),
        ("predict nowhere", "say which images"),
        ("predict nowhere x.png", "nowhere is not a run folder"),
        ("report", "usage: `caudex report RUN`"),
        ("report nowhere", "nowhere is not a run folder"),
        ("compare nowhere", "at least two run folders"),
        ("compare nowhere there", "nowhere is not a run folder"),
        ("export nowhere", "nowhere is not a run folder"),
        ("resume", "usage: `caudex resume RUN`"),
        ("resume nowhere", "nowhere is not a run folder"),
        ("list systems", "say `caudex list`, or `caudex list envs`"),
        ("list --all", "no setting --all"),
    ],
)
def test_a_wrong_word_gets_one_line(words, because):
    assert_refused(*words.split(), because=because)


def test_a_device_that_is_not_there():
    missing = "mps" if torch.cuda.is_available() else "cuda"
    assert_refused(*TRAIN, "--device", missing, because=f"cannot compute with --device {missing}")


def test_a_folder_without_its_flag_is_understood(album):
    assert_refused("train", "noisy-student", album, because=f"(--data {album}?)")


# --- images and tables that are wrong ---------------------------------------------------------------------------


def assert_data_refused(*words, because: str) -> str:
    return assert_refused("train", "noisy-student", *QUICK, *words, because=because)


def test_folders_from_which_nobody_can_learn(tmp_path):
    Path("empty").mkdir()
    assert_data_refused("--data", "empty", because="empty has no image")
    root = photos(tmp_path / "photos", unlabelled=2)
    shutil.move(root / "labelled" / "dog", "dog")
    assert_data_refused("--data", root, because="has one class, 'cat'; a classifier needs two")
    (root / "labelled" / "dog").mkdir()
    assert_data_refused("--data", root, because="dog has no image")
    Path(root / "labelled" / "dog" / "one.png").touch()
    assert_data_refused("--data", root, because="cannot be read, more than 5%")
    shutil.rmtree(root / "labelled")
    assert_data_refused("--data", root, because="has images but no labels")
    Path("file.txt").write_text("a")
    assert_data_refused("--data", "file.txt", because="file.txt is neither a folder")


def test_nothing_unlabelled_is_nothing_to_teach(tmp_path):
    root = photos(tmp_path / "photos", unlabelled=0)
    assert_data_refused("--data", root, because="use `caudex train supervised`")


def test_pictures_that_are_none(tmp_path, trained):
    root = photos(tmp_path / "photos", unlabelled=2)
    for name, write in {
        "bomb.png": bomb,
        "dot.png": Image.new("L", (1, 1)).save,
        "text.png": lambda path: path.write_text("no image"),
        "cut.jpg": lambda path: path.write_bytes((root / "labelled/cat/001.jpg").read_bytes()[:200]),
        "empty.webp": Path.touch,
    }.items():
        file = root / "unlabelled" / name
        write(file)
        line = assert_data_refused("--data", root, because="cannot be read, more than 5%")
        assert name in line
        assert_refused("predict", trained, file, because="none of the 1 files can be read")
        file.unlink()


def test_a_bomb_among_many_is_skipped(trained, album):
    bomb(Path("bomb.png"))
    said = run_cli("predict", trained, album / "unlabelled", "bomb.png", "--csv", "told.csv")
    assert said.err.count("\n") == 1
    assert "bomb" in said.err
    assert len(Path("told.csv").read_text().splitlines()) == 9


@pytest.mark.parametrize(
    "table, because",
    [
        (b"name,class\na.png,cat\n", "it needs `path` and at least one column of labels"),
        (b"path,label\nlabelled/cat/000.png,cat\nlabelled/dog/000.png,h\xfcnd\n", "is not UTF-8"),
        (b"path,label\nlabelled/cat/000.png,cat\ngone.png,dog\nlost.png,dog\n", "names files that are not there (2)"),
        (b"path,label\nlabelled/cat/000.png,cat\n", "one class, 'cat'"),
        (b"path,label\nlabelled/cat/000.png,cat\nlabelled/cat/000.png,dog\n", "both 'cat' and 'dog'"),
        (b"path,label\nlabelled/cat/000.png\n", "line 2"),
        (b"", "(none)"),
    ],
)
def test_tables_that_are_wrong(album, table, because):
    Path("few.csv").write_bytes(table)
    assert_data_refused("--data", album, "--labels", "few.csv", because=because)


def test_a_table_that_is_not_there(album):
    assert_data_refused("--data", album, "--labels", "nowhere.csv", because="nowhere.csv is not there")


def test_a_test_that_leaks_into_training(tmp_path):
    root = photos(tmp_path / "photos", test=2)
    shutil.copy(root / "labelled" / "cat" / "000.png", root / "test" / "cat" / "known.png")
    assert_data_refused("--data", root, because="also stand in the test")


def test_a_broken_array_file():
    Path("broken.npz").write_bytes(b"PK not a zip")
    assert_data_refused("--data", "broken.npz", because="broken.npz is not a readable .npz")


# --- run folders that are wrong -----------------------------------------------------------------------------------


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


def test_a_run_is_not_overwritten(copy):
    assert_refused(*TRAIN, "--run", copy, because="is not empty; it is a finished run; choose another --run")


@pytest.mark.parametrize(
    "content, because",
    [
        ({"format": 2}, "was written in run format 2; this caudex reads format 1"),
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
def test_settings_that_were_tampered_with(copy, content, because):
    file = copy / "settings.yaml"
    if isinstance(content, dict):
        content = yaml.safe_dump(yaml.safe_load(file.read_text()) | content)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for words in (("resume", copy), ("report", copy), ("export", copy), ("predict", copy, "x.png")):
        assert_refused(*words, because=because)
    assert not Path("hacked").exists()


@pytest.mark.parametrize("name", ["facts", "finished", "hardware"])
def test_records_that_were_tampered_with(copy, name):
    (copy / f"{name}.json").write_text("{")
    assert_refused("export", copy, because=f"{name}.json is not readable JSON")
    (copy / f"{name}.json").write_text('{"nonsense": 1}')
    assert_refused("export", copy, because=str(copy))


def test_damaged_weights_are_found_and_written_again(copy, album):
    before = model_bytes(copy)
    for damage in (before[:-100], before[:-1] + bytes([before[-1] ^ 1]), None):
        if damage is None:
            (copy / "model.safetensors").unlink()
        else:
            (copy / "model.safetensors").write_bytes(damage)
        assert_refused("predict", copy, album / "unlabelled", because="model.safetensors is gone or damaged")
    facts = (copy / "facts.json").read_bytes()
    (copy / "facts.json").unlink()
    assert_refused(
        "predict", copy, album / "unlabelled", because=f"{copy}/facts.json is gone; put it back, or `caudex resume"
    )
    run_cli("resume", copy)
    assert model_bytes(copy) == before and (copy / "facts.json").read_bytes() == facts


def test_a_checkpoint_that_was_tampered_with(copy):
    (copy / "model.safetensors").unlink()
    (file,) = (copy / "stages" / "teacher" / "checkpoints").glob("*/weights.safetensors")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = invoke("resume", copy)
    assert said.code == 2
    assert said.err == (
        f"caudex: checkpoint {file.parent} was changed after it was written; put it back as it was, or delete that folder "
        "and train this part anew.\n"
    )
    assert file.exists()


def test_predicting_what_is_not_there(trained):
    assert_refused("predict", trained, "gone.png", because="gone.png is not there")
    Path("empty").mkdir()
    assert_refused("predict", trained, "empty", because="empty has no image")
    assert_refused("predict", trained, because="say which images")
    Image.new("L", (9, 9)).save("a.png")
    assert_refused(
        "predict", trained, "a.png", "--csv", "nowhere/told.csv", because="there is no folder nowhere; make it first"
    )
    Path("file").touch()
    assert_refused("export", trained, "--to", "file", because="file")


def test_nothing_that_was_there_is_written_over(trained):
    Image.new("L", (9, 9)).save("a.png")
    Path("labels.csv").write_text("path,label\na.png,cat\n")
    assert_refused("predict", trained, "a.png", "--csv", "labels.csv", because="labels.csv exists already")
    assert Path("labels.csv").read_text() == "path,label\na.png,cat\n"
    Path("out").mkdir()
    Path("out/model.onnx").write_bytes(b"another's")
    assert_refused("export", trained, "--to", "out", because="out holds an exported model already")
    assert Path("out/model.onnx").read_bytes() == b"another's"


def test_names_that_are_hard_to_print(trained):
    Path("[").mkdir()
    for name in ("[b]bold.png", "[/x].png", "with space.png", ":smile:.png", os.fsdecode(b"caf\xe9.png")):
        Image.new("L", (9, 9), 99).save(name)
        assert "confidence" in run_cli("predict", trained, name).out
        run_cli("predict", trained, name, "--csv", "told.csv")
        assert os.fsencode(name) in Path("told.csv").read_bytes()
        Path("told.csv").unlink()
    assert "[b]bold.png" in run_cli("predict", trained, "[b]bold.png").out
    long = Path("a" * 60, "b" * 60 + ".png")
    long.parent.mkdir()
    Image.new("L", (9, 9), 99).save(long)
    told = run_cli("predict", trained, long).out
    assert told.count("a") >= 60 and told.count("b") >= 60  # folded, not cut


# --- a machine that gives way -------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_last_checkpoint(monkeypatch, undisturbed):
    saves, flush = iter(range(1000)), os.fsync

    def full(handle):
        if next(saves) > 25:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        said = invoke(*DIGITS, "--steps", "30", "--save-seconds", "0", "--run", "run")
    (last,) = Path("run/stages/supervised/checkpoints").iterdir()
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "No space left on device" in said.err
    assert f"the last good checkpoint is {last}" in said.err
    assert "`caudex resume run`" in said.err
    run_cli("resume", "run")
    assert model_bytes("run") == model_bytes(undisturbed)


def test_a_disk_that_is_full_from_the_start_leaves_nothing(monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert_refused(*TRAIN, because="No space left on device")


@pytest.mark.parametrize(
    "size, what, way",
    [
        ("12k", "could not write", "Make room and start again."),
        ("160k", "the last good checkpoint is disk/run/stages/supervised/checkpoints/", "`caudex resume disk/run`"),
    ],
)
def test_a_small_disk(undisturbed, size, what, way):
    """The same with a real one, where one may mount it."""
    Path("disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "disk"]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a disk; the test before this one fills one without")
    try:
        said = invoke(*DIGITS, "--steps", "30", "--save-seconds", "0", "--run", "disk/run")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "No space left on device" in said.err
        assert what in said.err and way in said.err
        if "resume" in way:
            subprocess.run(["mount", "-o", "remount,size=30m", "disk"], check=True)
            run_cli("resume", "disk/run")
            assert model_bytes("disk/run") == model_bytes(undisturbed)
        else:
            assert not any(Path("disk").iterdir())
    finally:
        subprocess.run(["umount", "disk"], check=True)


def test_too_little_memory_is_said(monkeypatch):
    def greedy(*args, **named):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(Classifier, "probabilities", greedy)
    assert "not enough memory" in invoke(*DIGITS, "--steps", "2").err


def test_a_loss_that_is_no_number_names_its_step(monkeypatch):
    steps, loss = iter(range(100)), Labels.loss

    def broken(self, trunk, batch):
        said = loss(self, trunk, batch)
        return said._replace(loss=said.loss * float("nan")) if next(steps) == 19 else said

    monkeypatch.setattr(Labels, "loss", broken)
    said = invoke(*DIGITS, "--steps", "30", "--save-seconds", "0", "--run", "run")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "the loss of signal 'labels' became NaN at step 20" in said.err
    assert "The last good checkpoint is run/stages/supervised/checkpoints/19" in said.err
    assert "try --lr 0.0003 (was 0.003)" in said.err


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions(precision):
    run_cli(*DIGITS, "--steps", "2", "--precision", precision)


def test_a_reader_that_has_enough():
    process = subprocess.run(f"{sys.executable} -m caudex list | head -n 1", shell=True, capture_output=True, text=True)
    assert process.stderr == ""
    assert process.stdout.startswith("systems:")
