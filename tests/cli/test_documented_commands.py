"""Commands that documents and results name parse with today's flags."""

import json
import re
import shlex
from pathlib import Path

import pytest

from caudex.cli.commands import COMMANDS, GatherFlags
from caudex.cli.flags import parse_flags, parse_system

ROOT = Path(__file__).parents[2]
RESULTS = sorted(file for file in (ROOT / "results").glob("*.json") if "command" in json.loads(file.read_text()))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def documented_commands(text: str) -> list[str]:
    """Lines of code blocks that call caudex, with their continuations."""
    blocks = re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, re.DOTALL)
    blocks += re.findall(r"(?:^|\n\n)((?: {4}caudex [^\n]*\n)+)", text)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines if line.strip().removeprefix("$ ").startswith("caudex ")]


def parse(line: str) -> None:
    """Raises CaudexError where a flag is unknown or a setting is out of range."""
    words = shlex.split(line, comments=True)
    assert words[0] == "caudex" and words[1] in COMMANDS, line
    if "--gather" in words:
        parse_flags(GatherFlags, words[2:], "claim")
    elif words[1] in ("train", "claim") and "--help" not in words and words[2] != "SYSTEM":
        parse_system(words[1], words[2:])


def test_results_are_there():
    assert len(RESULTS) > 40


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.name)
def test_the_command_of_a_result_parses(file):
    parse(json.loads(file.read_text())["command"])


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_the_commands_of_a_document_parse(file):
    for line in documented_commands(file.read_text()):
        parse(line)


def test_an_old_flag_does_not_parse():
    from caudex.core.errors import CaudexError

    with pytest.raises(CaudexError, match="has no setting --world"):
        parse("caudex claim ppo --world Ant-v5")
