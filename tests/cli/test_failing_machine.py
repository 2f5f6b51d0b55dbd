"""A machine that gives way: full disks, too little memory, numbers that are none."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.cli_runs import DIGITS, TRAIN
from helpers.command_line import assert_refused, invoke, model_bytes, run_cli

from caudex.models.image_classifier import ImageClassifier
from caudex.signals import Labels

# -- words that are wrong ------------------------------------------------------------------------------------------


# -- a machine that gives way --------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_last_checkpoint(monkeypatch, undisturbed_run):
    saves, flush = iter(range(1000)), os.fsync

    def full(handle):
        if next(saves) > 25:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        output = invoke(*DIGITS, "--steps", "30", "--save-seconds", "0", "--run", "run")
    (last,) = Path("run/stages/supervised/checkpoints").iterdir()
    assert output.code == 2
    assert output.err.count("\n") == 1
    assert "No space left on device" in output.err
    assert f"the last good checkpoint is {last}" in output.err
    assert "`caudex resume run`" in output.err
    run_cli("resume", "run")
    assert model_bytes("run") == model_bytes(undisturbed_run)


def test_a_disk_that_is_full_from_the_start_leaves_nothing(monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert_refused(*TRAIN, because="No space left on device")


@pytest.mark.parametrize(
    "size, what, remedy",
    [
        ("12k", "could not write", "Make room and start again."),
        ("160k", "the last good checkpoint is disk/run/stages/supervised/checkpoints/", "`caudex resume disk/run`"),
    ],
)
def test_a_small_disk(undisturbed_run, size, what, remedy):
    """The same with a real one, where one may mount it."""
    Path("disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "disk"]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a disk; the test before this one fills one without")
    try:
        output = invoke(*DIGITS, "--steps", "30", "--save-seconds", "0", "--run", "disk/run")
        assert (output.code, output.err.count("\n")) == (2, 1)
        assert "No space left on device" in output.err
        assert what in output.err and remedy in output.err
        if "resume" in remedy:
            subprocess.run(["mount", "-o", "remount,size=30m", "disk"], check=True)
            run_cli("resume", "disk/run")
            assert model_bytes("disk/run") == model_bytes(undisturbed_run)
        else:
            assert not any(Path("disk").iterdir())
    finally:
        subprocess.run(["umount", "disk"], check=True)


def test_too_little_memory_is_reported(monkeypatch):
    def greedy(*args, **named):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(ImageClassifier, "probabilities", greedy)
    assert "not enough memory" in invoke(*DIGITS, "--steps", "2").err


def test_a_loss_that_is_no_number_names_its_step(monkeypatch):
    steps, loss = iter(range(100)), Labels.loss

    def broken(self, trunk, batch):
        output = loss(self, trunk, batch)
        return output._replace(loss=output.loss * float("nan")) if next(steps) == 19 else output

    monkeypatch.setattr(Labels, "loss", broken)
    output = invoke(*DIGITS, "--steps", "30", "--save-seconds", "0", "--run", "run")
    assert output.code == 2
    assert output.err.count("\n") == 1
    assert "the loss of signal 'labels' became NaN at step 20" in output.err
    assert "The last good checkpoint is run/stages/supervised/checkpoints/19" in output.err
    assert "try --lr 0.0003 (was 0.003)" in output.err


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions(precision):
    run_cli(*DIGITS, "--steps", "2", "--precision", precision)


def test_a_reader_that_has_enough():
    process = subprocess.run(f"{sys.executable} -m caudex list | head -n 1", shell=True, capture_output=True, text=True)
    assert process.stderr == ""
    assert process.stdout.startswith("systems:")
