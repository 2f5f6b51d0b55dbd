"""Two processes that share every batch out learn what one process learns."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers import distributed_training
from safetensors.torch import load_file

from caudex.core.run import Run


def train_on_two_processes(folder, steps):
    script = Path(distributed_training.__file__)
    done = subprocess.run(
        [sys.executable, script, folder, "2", str(steps)], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_two_processes_learn_what_one_does_also_when_resumed(tmp_path):
    for steps in (6, 10):  # the second goes on where the first ended
        distributed_training.train(tmp_path / "one", 1, steps)
        printed = train_on_two_processes(tmp_path / "two", steps)
        assert printed.count("finished") == 1  # only one of the two speaks
        assert f"finished {steps} with" in printed
        one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
        assert max((two[name] - weight).abs().max().item() for name, weight in one.items()) < 1e-5
        one, two = (Run(tmp_path / name).stage("teacher") for name in ("one", "two"))
        for row, other in zip(one.metrics(), two.metrics(), strict=True):
            assert other == pytest.approx(row, abs=1e-5)
        assert [path.name for path in two.checkpoints] == [str(steps)]
        assert one.read_json("about") == two.read_json("about")
        for run in (one, two):
            (run.path / "finished.json").unlink()
