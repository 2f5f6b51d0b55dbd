import subprocess
import sys

import pytest
from helpers.plugins import installed_plugin

from caudex.core.errors import CaudexError
from caudex.core.trust import UntrustedName
from caudex.envs.boards import find_game, game_names
from caudex.envs.boards.finder import NAMES

MODULE = """
from caudex.envs.boards.connect_four import ConnectFour

class Wide(ConnectFour):
    name = "wide"

    def __init__(self, rows: int = 6):
        self.rows = rows

def broken():
    raise ValueError("no board")

def number():
    return 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "widegame", raising=False)
    (tmp_path / "widegame.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_all_names_are_found(name):
    game = find_game(name)
    assert game.name == name
    assert game.planes(game.initial(2)).shape == (2, *game.shape)


def test_the_list_has_open_spiels_games_that_can_be_played():
    names = game_names()
    assert {"chess", "open_spiel:breakthrough"} < set(names)
    assert "open_spiel:kuhn_poker" not in names


def test_settings_follow_the_name():
    assert (find_game("go-5?komi=24.5&history=4").komi, find_game("go-5?komi=24.5&history=4").shape) == (
        24.5,
        (9, 5, 5),
    )


def test_a_class_of_the_users_is_found_with_its_settings(module):
    assert find_game("widegame:Wide?rows=8").rows == 8


def test_an_entry_point_is_found(tmp_path):
    with installed_plugin(tmp_path / "site", {"widegame2": MODULE}, {"caudex.games": {"wide": "widegame2:Wide"}}):
        assert find_game("wide").name == "wide"
        assert "wide" in game_names()


@pytest.mark.parametrize(
    "name, words",
    [
        ("conect-four", "'conect-four' is not a game. Did you mean connect-four?"),
        ("go-5?koomi=3", "no setting 'koomi'. Did you mean komi? It takes komi, history, max_moves"),
        ("connect-four?rows=8", "no setting 'rows'. It takes none"),
        ("go-5?komi", "settings follow as key=value"),
        ("hex-99", "from hex-2 to hex-26"),
        ("nomodule:Game", "there is no module nomodule"),
        ("widegame:Wode", "has no function 'Wode'. Did you mean Wide?"),
        ("widegame:broken", "cannot be made: ValueError: no board"),
        ("widegame:number", "gave int; give a class derived from caudex.envs.boards.Game"),
    ],
)
def test_names_that_are_no_game_are_refused(module, name, words):
    with pytest.raises(CaudexError) as caught:
        find_game(name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "name, words",
    [("widegame:Wide", "would import the module widegame"), ("open_spiel:efg_game?filename=a.efg", "filename=a.efg")],
)
def test_a_strangers_run_imports_no_module_and_opens_no_file(module, name, words):
    with pytest.raises(CaudexError) as caught:
        find_game(UntrustedName(name, "runs/theirs"))
    assert words in str(caught.value) and f"--game {name}" in str(caught.value)
    assert "widegame" not in sys.modules


def test_a_strangers_run_may_name_a_game_of_the_package():
    assert find_game(UntrustedName("go-5?komi=24.5", "runs/theirs")).komi == 24.5


def test_a_missing_package_is_named():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('numba', 'pyspiel')))\n"
        "from caudex.core.errors import CaudexError\n"
        "from caudex.envs.boards import find_game, game_names; print(game_names()[0])\n"
        "for name in ('go-5', 'othello'):\n"
        "    try: find_game(name)\n"
        "    except CaudexError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.splitlines() == [
        "tic-tac-toe",
        "games need the package numba: pip install 'caudex[games]'.",
        "othello needs the package open-spiel: pip install 'caudex[games]'.",
    ]
