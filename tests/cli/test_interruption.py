"""Interrupted, killed, out of budget: the run goes on to the same weights."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from helpers.cli_runs import DIGITS, QUICK, wait_until
from helpers.command_line import CAUDEX, assert_refused, invoke, model_bytes, run_cli

from caudex.core import fit as training


def interrupt_at(monkeypatch, step: int, number: int = signal.SIGINT) -> None:
    """Sends the signal to this process in the middle of that step."""
    steps, before = iter(range(step + 1)), training.next_batches

    def next_batches(*args):
        if next(steps, None) == step - 1:
            os.kill(os.getpid(), number)
        return before(*args)

    monkeypatch.setattr(training, "next_batches", next_batches)


def test_after_ctrl_c_the_run_goes_on_to_the_same_weights(monkeypatch, undisturbed_run):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 13)
        output = invoke(*DIGITS, "--steps", "30", "--run", "run")
    assert output.code == 130
    assert output.err == "caudex: stopped; `caudex resume run` goes on.\n"
    assert Path("run/stages/supervised/checkpoints/13").is_dir()
    assert_refused("predict", "run", "x.png", because="`caudex resume run` goes on with it")
    assert run_cli("resume", "run").run == Path("run")
    assert model_bytes("run") == model_bytes(undisturbed_run)
    metrics = "stages/supervised/metrics.jsonl"
    assert Path("run", metrics).read_bytes() == (undisturbed_run / metrics).read_bytes()
    assert_refused("resume", "run", because="is finished")


def test_a_killed_run_goes_on_to_the_same_weights():
    words = (*DIGITS, "--steps", "150")
    often = ("--save-seconds", "0.05", "--run", "killed")
    process = subprocess.Popen([*CAUDEX, *words, *often], stdout=subprocess.DEVNULL)
    wait_until(lambda: len(list(Path().glob("killed/stages/*/checkpoints/[0-9]*"))) > 0, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not Path("killed/model.safetensors").exists()
    run_cli("resume", "killed")
    assert model_bytes("killed") == model_bytes(run_cli(*words).run)


def test_the_folder_in_which_one_trains_is_locked(undisturbed_run):
    holder = "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(1); time.sleep(60)"
    shutil.copytree(undisturbed_run, "run")
    Path("run/model.safetensors").unlink()
    process = subprocess.Popen([sys.executable, "-uc", holder, "run"], stdout=subprocess.PIPE)
    process.stdout.readline()
    assert_refused("resume", "run", because="another process is at work in run")
    process.kill()
    process.wait()


def test_a_budget_in_minutes_ends_in_time():
    output = run_cli(*DIGITS, "--no-calibrate", "--minutes", "0.1")
    assert 5.5 < json.loads((output.run / "stages/supervised/finished.json").read_text())["seconds"] < 9


def test_a_budget_in_operations_is_kept():
    output = run_cli(*DIGITS, "--no-calibrate", "--flops", "1e9")
    assert 1e9 <= json.loads((output.run / "stages/supervised/finished.json").read_text())["flops"] < 1.3e9


def test_two_processes_leave_one_run_and_say_so_once():
    alone = ("train", "supervised", *QUICK, "--labels-per-class", "1")
    words = (*alone, "--devices", "2", "--strategy", "ddp")
    completed = subprocess.run([*CAUDEX, *words], capture_output=True, text=True, timeout=240)
    assert completed.returncode == 0, completed.stderr
    majority, calibration = completed.stderr.splitlines()
    assert "is not shown to be better" in majority and "are too few to calibrate confidences" in calibration
    assert completed.stdout.splitlines()[-1] == "runs/supervised-1"
    assert completed.stdout.count("runs/supervised-1") == completed.stdout.count("TFLOP") == 1
    assert [path.name for path in Path("runs").iterdir()] == ["supervised-1"]
    pair, one = (
        [json.loads(row) for row in (run / "stages/supervised/metrics.jsonl").read_text().splitlines()]
        for run in (Path("runs/supervised-1"), run_cli(*alone).run)
    )
    for counted in ("step", "samples", "flops"):  # the batch was shared out, and nothing was written twice
        assert [row.get(counted) for row in pair] == [row.get(counted) for row in one]
    assert json.loads(Path("runs/supervised-1/results.json").read_text())["supervised"]["test_size"] == 450
    broken = [*CAUDEX, *words, "--data", "nowhere/"]
    completed = subprocess.run(broken, capture_output=True, text=True, timeout=240)
    assert completed.returncode == 2
    assert completed.stderr.count("\n") == 1
