"""Runs that tests of the command line share. No test changes them."""

import shutil
from pathlib import Path

import pytest
from helpers.cli_runs import DIGITS, QUICK
from helpers.command_line import run_cli
from helpers.photos import write_photos


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session")
def photo_album(tmp_path_factory) -> Path:
    return write_photos(tmp_path_factory.mktemp("album") / "photos", test=2)


@pytest.fixture(scope="session")
def trained_run(photo_album, tmp_path_factory) -> Path:
    """A run of noisy-student on photos."""
    run = tmp_path_factory.mktemp("trained") / "run"
    output = run_cli("train", "noisy-student", "--data", photo_album, "--rounds", "1", *QUICK, "--run", run)
    assert output.run == run
    return run


@pytest.fixture(scope="session")
def undisturbed_run(tmp_path_factory) -> Path:
    """Thirty steps on digits that nobody interrupts."""
    return run_cli(*DIGITS, "--steps", "30", "--run", tmp_path_factory.mktemp("undisturbed") / "run").run


@pytest.fixture
def trained_copy(trained_run, tmp_path) -> Path:
    return Path(shutil.copytree(trained_run, tmp_path / "copy"))
