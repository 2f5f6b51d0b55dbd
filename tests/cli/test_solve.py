"""The command solve."""

import json
import shutil

import pytest
from helpers.command_line import assert_refused, run_cli


def test_a_file_of_problems(tmp_path, monkeypatch):
    file = tmp_path / "problems.txt"
    file.write_text("2*x\n\nexp(-x**2)\ny*x\n")
    output = run_cli("solve", "--all", file, "--json", "--seconds", "20").out
    solved, unsolved, unread = map(json.loads, output.splitlines())
    assert solved["answer"] == "x**2" and solved["latex"] == "x^{2}" and solved["status"] == "verified"
    assert (
        unsolved["answer"] is None
        and unsolved["status"] == "not found"
        and "no answer" in unsolved["failures"]["sympy"]
    )
    assert "it is none of x" in unread["error"]


def test_without_maxima_it_names_the_package(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    output = run_cli("solve", r"\int 2x \, dx", "--seconds", "20")
    assert output.out == "x^{2} + C   (verified, by sympy)\n" and "apt-get install maxima" in output.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "give one integrand in quotes"),
        (["x", "--all", "problems.txt"], "give one integrand in quotes"),
        (["x", "--seconds", "0"], "--seconds 0 is out of range"),
        (["y' = y/x"], "differential equations are not solved yet"),
        (["__import__('os')"], "cannot be read at character 12"),
        (["1/(x-x)"], "the expression divides by zero"),
        (["1/0"], "does it divide by zero"),
        (["--all", "nowhere.txt"], "nowhere.txt: No such file"),
    ],
)
def test_what_cannot_be_is_refused(words, sentence):
    assert_refused("solve", *words, because=sentence)
