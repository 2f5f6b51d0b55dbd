"""What a newcomer sees: lists and help, at once."""

import re
import subprocess
import sys

import pytest
from helpers.command_line import run_cli

from caudex.cli.commands import COMMANDS
from caudex.core import registry as names


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
