"""docs/own-game.md, run as it stands."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from caudex.envs.boards import check_game, find_game

PAGE = Path(__file__).parents[3] / "docs/own-game.md"
CLASS, EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def lines(tmp_path, monkeypatch):
    (tmp_path / "lines.py").write_text(CLASS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("lines", None)


def test_the_example_runs(lines, capsys):
    assert len(CLASS.splitlines()) < 75
    exec(EXAMPLE, {})
    assert capsys.readouterr().out.splitlines()[2] == ". . X O . ."


def test_the_class_is_a_game_whose_winner_has_just_moved(lines):
    game = find_game("lines:Lines")
    check_game(game)
    positions = game.initial(1)
    for move in ["b5", "a1", "c4", "a2", "d3", "a3", "e2"]:  # a diagonal
        assert not game.outcome(positions)[0][0]
        positions = game.apply(positions, np.array([game.parse_action(positions, 0, move)]))
    assert [array.tolist() for array in game.outcome(positions)] == [[True], [-1]]
