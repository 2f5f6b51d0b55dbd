"""A machine that gives way: full disks, too little memory, numbers that are none."""

import errno
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.cli_runs import DIGITS, TRAIN
from helpers.command_line import assert_refused, invoke, model_bytes, run_cli

from caudex.cli.commands import COMMANDS
from caudex.cli.main import main
from caudex.core.run_files import RunFiles
from caudex.models.image_classifier import ImageClassifier
from caudex.signals import Labels

FULL = "caudex: could not write to standard output (No space left on device); make room, or give it another file.\n"


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


def test_a_reader_that_has_enough():
    process = subprocess.run(f"{sys.executable} -m caudex list | head -n 1", shell=True, capture_output=True, text=True)
    assert process.stderr == ""
    assert process.stdout.startswith("systems, by what you have:")


@pytest.mark.parametrize("file", ["about.json", "figures/corruptions.png", "results.json", "model.safetensors"])
def test_a_run_folder_deleted_meanwhile_is_one_sentence(monkeypatch, file):
    write = RunFiles.write

    def delete_and_write(self, name, content):
        if name == file:
            shutil.rmtree("run")
        write(self, name, content)

    monkeypatch.setattr(RunFiles, "write", delete_and_write)
    output = invoke(*DIGITS, "--steps", "2", "--run", "run")
    assert (output.code, output.err.count("\n")) == (2, 1), output.err
    assert "run was deleted or moved while this run wrote to it; start again." in output.err
    assert not Path("run").exists()


class LostPipe(io.StringIO):
    """Takes one line."""

    def __init__(self, error=BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))):
        super().__init__()
        self.error = error

    def write(self, text):
        if "\n" in self.getvalue():
            raise self.error
        return super().write(text)

    def fileno(self):
        raise OSError("a stream in memory")


def test_a_training_goes_on_without_its_reader(monkeypatch):
    """As in `caudex train ... | head -1`, also with its progress."""
    monkeypatch.setattr(sys, "stdout", LostPipe())
    monkeypatch.setattr(sys, "stderr", LostPipe())
    main([*DIGITS, "--steps", "2", "--run", "run"])
    assert Path("run/report.html").exists()


def test_a_training_that_cannot_print_still_has_its_report(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdout", LostPipe(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with pytest.raises(SystemExit, match="1"):
        main([*DIGITS, "--steps", "2", "--run", "run"])
    assert Path("run/report.html").exists()


def test_a_killed_run_without_a_report_gets_one(undisturbed_run, tmp_path):
    run = Path(shutil.copytree(undisturbed_run, tmp_path / "copy"))
    (run / "report.html").unlink()
    assert run_cli("resume", run, "--trust").run == run
    assert (run / "report.html").exists()
    assert_refused("resume", run, because="is finished; there is nothing to resume")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_on_a_full_disk_is_one_sentence(command, monkeypatch, capsys):
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit, match="1"):
            main([command, "--help"])
    assert capsys.readouterr().err == FULL


@pytest.mark.parametrize(
    "words", ["predict RUN IMAGE", "report RUN", "compare RUN RUN", "list", "list envs", "--version"]
)
def test_results_on_a_full_disk_are_one_sentence(words, trained_run, photo_album, monkeypatch, capsys):
    image = next((photo_album / "unlabelled").iterdir())
    words = [{"RUN": str(trained_run), "IMAGE": str(image)}.get(word, word) for word in words.split()]
    with Path("/dev/full").open("w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit, match="1"):
            main(words)
    assert capsys.readouterr().err == FULL


def test_a_closed_output_is_one_sentence():
    shell = (
        f"exec 2>&1; {sys.executable} -m caudex --help >&-; echo $?; {sys.executable} -m caudex --help 2>&- | tail -1"
    )
    printed = subprocess.run(shell, shell=True, capture_output=True, text=True).stdout.splitlines()
    assert printed[:2] == ["caudex: standard output is closed; give it a file, or > /dev/null.", "1"]
    assert printed[2:] == ["`caudex train SYSTEM --help` explains every setting."]
