"""The examples of CONTRIBUTING.md, run as the page has them: a signal, a system, an environment."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
SIGNAL, SYSTEM, ENVIRONMENT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(ENTRY_POINTS,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def caudex(tmp_path_factory):
    """The command line where somebody's package is installed; the examples stand in its files."""
    folder = tmp_path_factory.mktemp("contributed")
    package, metadata = folder / "mypackage", folder / "mypackage-1.0.dist-info"
    package.mkdir()
    metadata.mkdir()
    (package / "__init__.py").touch()
    (package / "negative.py").write_text(SIGNAL)
    (package / "plain.py").write_text(SYSTEM)
    (folder / "corridor.py").write_text(ENVIRONMENT)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    groups = tomllib.loads(ENTRY_POINTS)["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items())
        for group, points in groups.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}

    def run(*words):
        command = [sys.executable, "-m", "caudex", *map(str, words)]
        return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=280)

    return run


def last_metrics(run: Path, stage: str) -> dict:
    """The last figure of each metric."""
    lines = (run / "stages" / stage / "metrics.jsonl").read_text().splitlines()
    return {name: figure for line in lines for name, figure in json.loads(line).items()}


def test_each_example_is_short():
    assert all(len(example.splitlines()) < 40 for example in (SIGNAL, SYSTEM, ENVIRONMENT))


def test_the_system_is_listed_and_trained(caudex, tmp_path):
    output = caudex("list").stdout
    assert "plain" in output and "A small convolutional net on all labels" in output
    assert "corridor" in caudex("list", "envs").stdout.splitlines()
    outcome = caudex("train", "plain", "--steps", "60", "--threads", "1", "--run", tmp_path / "run")
    assert outcome.returncode == 0, outcome.stderr
    assert last_metrics(tmp_path / "run", "plain")["labels/accuracy"] > 0.5


def test_the_signal_is_added_to_a_system(caudex, tmp_path):
    words = ("train", "two-heads", "--also", "negative:0.3", "--scale", "tiny", "--threads", "1")
    outcome = caudex(*words, "--run", tmp_path / "run")
    assert outcome.returncode == 0, outcome.stderr
    metrics = last_metrics(tmp_path / "run", "two-heads")
    assert 0 < metrics["negative/loss"] < 1 and "negative/accuracy" in metrics


def test_the_environment_is_learned(caudex, tmp_path):
    words = (
        "train",
        "dqn",
        "--env",
        "corridor",
        "--total-steps",
        "4000",
        "--learning-starts",
        "500",
        "--threads",
        "1",
    )
    outcome = caudex(*words, "--run", tmp_path / "run")
    assert outcome.returncode == 0, outcome.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["policy"]["return"] == 1.0 > results["random"]["return"]
    outcome = caudex("play", tmp_path / "run", "--episodes", "2", "--env", "corridor:Corridor-v0")
    assert outcome.returncode == 0, outcome.stderr
