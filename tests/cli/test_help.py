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
    code += "heavy = {'torch', 'numpy', 'lightning_fabric', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)\n"
    code += "import resource; print(heavy or '', resource.getrusage(resource.RUSAGE_SELF).ru_utime < 1)"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.splitlines()[-1].strip() == "True"
    assert completed.stderr == ""
    assert max(map(len, completed.stdout.splitlines())) <= 80


def test_list_shows_every_system_and_signal_and_what_to_take():
    printed = run_cli("list").out
    runner = ("replay", "rollouts")  # what acts is added to nothing
    for name in (
        *names.class_paths("systems"),
        *(n for n in names.class_paths("signals") if names.signal_needs(n) not in runner),
    ):
        assert name in printed
    assert printed.index("few labels") < printed.index("noisy-student") < printed.index("simclr") < printed.index("ppo")
    assert "Take noisy-student" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 80


SHORT = {"probe": "probe RUN", "labels-saved": "labels-saved"}


@pytest.mark.parametrize("name", names.class_paths("systems"))
def test_help_teaches_in_eighty_columns(name):
    printed = run_cli("train", name, "--help").out
    assert max(map(len, printed.splitlines())) <= 80
    for words in (
        "examples:",
        f"caudex {SHORT.get(name, f'train {name}')} --scale tiny",
        f"caudex claim {name}",
        "--run",
        "--seed",
        "--steps",
    ):
        assert words in " ".join(printed.split())
    assert "None" not in printed and "default: )" not in printed
    bare = r"--\S+ [A-Z]+\W*(\(default|--)"  # every setting has a sentence of its own
    assert not re.search(bare, printed), re.search(bare, printed)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("train", "claim")])
def test_every_command_has_a_help(command):
    printed = run_cli(command, "--help").out
    assert "None" not in printed
    if command in SHORT:  # systems of their own
        assert f"caudex {command} " in printed and "examples:" in printed
        return
    assert COMMANDS[command].split(": ")[-1].split()[0] in printed
    assert f"usage: caudex {command}" in printed
