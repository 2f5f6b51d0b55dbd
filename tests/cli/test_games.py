"""`play` of a board game, with an agent that knows nothing."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.board_games import Noughts
from helpers.command_line import assert_refused, run_cli
from helpers.game_agents import UniformAgent
from helpers.trainings import train

from caudex.cli.commands import PlayFlags
from caudex.cli.games import GAME_FLAGS, TerminalBoard, play_games, refuse_flags
from caudex.core.errors import CaudexError
from caudex.core.system import system_at_scale
from caudex.envs.boards import find_game
from caudex.evaluation.players import find_player
from caudex.systems.games import shared


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Hardly trained."""
    path = tmp_path_factory.mktemp("alpha-zero") / "run"
    with pytest.MonkeyPatch.context() as patch:
        few = {
            "ELO_GAMES": 2,
            "MATCH_GAMES": 2,
            "STAGES": (0, 100),
            "OPPONENTS": ("random",),
            "FEWER_SIMULATIONS": (0,),
        }
        for name, value in few.items():
            patch.setattr(shared, name, value)
        train(replace(system_at_scale("alpha-zero", "tiny"), total_positions=100), path)
    return path


def play(lines, agent=None, monkeypatch=None, **flags):
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    play_games(agent or UniformAgent(), PlayFlags(Path("runs/az"), **flags))


def test_a_side_without_a_name_is_said_once(monkeypatch, capsys):
    agent = UniformAgent()
    agent.game = Noughts()
    play([], agent, monkeypatch)
    assert capsys.readouterr().out.startswith("noughts: you play first.\n")


def test_a_human_wins_in_the_terminal_and_the_game_is_written(monkeypatch, capsys):
    agent = UniformAgent()
    agent.search = lambda positions: UniformAgent(simulations=7).search(positions)._replace(actions=np.array([6]))
    play(["1", "1", "1", "1"], agent, monkeypatch, record=Path("g.txt"))
    text = capsys.readouterr().out
    assert "connect-four: you play X, who moves first." in text and "the run plays 7; its win chance" in text
    assert "you win: X wins" in text
    assert Path("g.txt").read_text().splitlines()[-1] == "moves: 1 7 1 7 1 7 1"


def test_an_illegal_move_is_one_sentence_and_the_question_again(monkeypatch, capsys):
    play(["9", "four", "", "4", "quit"], None, monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert "your move: '9' is not a legal move. Legal: 1, 2, 3, 4, 5, 6, 7." in lines
    assert "your move: 'four' is not a legal move. Legal: 1, 2, 3, 4, 5, 6, 7." in lines
    assert any("the run plays" in line for line in lines) and lines[-1] == "your move: the game was not finished"


def test_the_end_of_input_ends_the_game(monkeypatch, capsys):
    play(["4"], None, monkeypatch, record=Path("g.txt"))
    text = capsys.readouterr().out
    assert text.endswith("the game was not finished\nwritten to g.txt\n")
    assert "outcome: not finished" in Path("g.txt").read_text()


@pytest.mark.parametrize("second", [False, True])
def test_undo_takes_back_the_answer_too_and_stops_at_the_first_move(second, monkeypatch, capsys):
    board = TerminalBoard(UniformAgent(simulations=4), int(second))
    monkeypatch.setattr("sys.stdin", io.StringIO("4\n3\nundo\nundo\nundo\n5\n"))
    moves = board.play()
    assert moves[int(second)] == 4 and len(moves) == 2 + second
    assert capsys.readouterr().out.count("no move of yours to take back") == 1


def test_a_hint_shows_what_the_search_visits(monkeypatch, capsys):
    # X has three in column 1: the search sees that the fourth wins
    agent = UniformAgent(simulations=64)
    agent.search = lambda positions: UniformAgent(simulations=64).search(positions)._replace(actions=np.array([6]))
    play(["1", "1", "1", "hint"], agent, monkeypatch)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "most visits" in line]
    assert line.startswith("your move: most visits of a search: 1 (") and "your win chance" in line


def test_a_match_is_a_table_by_side_and_a_record(monkeypatch, capsys):
    play([], UniformAgent("go-3", 16), monkeypatch, opponent="random", games=6, record=Path("g.sgf"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("│")[1].split()[0] for line in lines if "│" in line] == ["Black", "White", "both"]
    games = Path("g.sgf").read_text()
    assert games.count("PB[runs/az]PW[random]") == games.count("PB[random]PW[runs/az]") == 3


def test_a_solved_game_has_the_score_and_the_interval_that_is_known(monkeypatch, capsys):
    play([], UniformAgent("tic-tac-toe", 400), monkeypatch, opponent="random", games=20)
    row = next(line for line in capsys.readouterr().out.splitlines() if "both" in line).split("│")
    wins, draws, losses = (int(cell) for cell in row[3:6])
    assert (
        losses == 0
        and wins + draws == 20
        and float(row[6].strip().rstrip("%")) == pytest.approx(5 * wins + 2.5 * draws)
    )


def test_two_games_that_are_always_the_same_are_said_to_be(monkeypatch, capsys):
    monkeypatch.setattr("caudex.cli.games.find_player", lambda *_: UniformAgent(simulations=8).choose)
    Path("other").mkdir()
    play([], UniformAgent(simulations=8), monkeypatch, opponent="other", games=4, opening_moves=0)
    assert "only 1 of these games differ, and the intervals" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"games": 3, "opponent": "random"}, "a match of 3 games cannot swap sides"),
        ({"opponent": "stockfish"}, "'stockfish' is no player; give random, mcts-N"),
        ({"simulations": 0}, "--simulations 0 is out of range; connect-four takes 1 to 100,000"),
        ({"record": Path("g.pgn")}, "--record g.pgn: give a file that ends in .txt"),
        ({"video": Path("g.mp4")}, "runs/az plays connect-four, a board game: leave out --video"),
        ({"env_args": ("a=1",)}, "leave out --env-args"),
    ],
)
def test_what_does_not_fit_is_refused(flags, sentence, monkeypatch):
    with pytest.raises(CaudexError, match=sentence):
        play([], None, monkeypatch, **flags)


def test_a_run_is_played_and_is_an_opponent_of_its_own_game_alone(run):
    output = run_cli("play", run, "--opponent", run, "--games", 2, "--simulations", 4, "--record", "g.txt")
    assert "both" in output.out and Path("g.txt").read_text().count("game: tic-tac-toe") == 2
    assert_refused("play", run, "--opponent", "solver", because="the solver plays connect-four, not tic-tac-toe")
    assert_refused("play", run, "--opponent", ".", because="is not a run folder")
    assert_refused("play", run, "--episodes", 3, because="plays tic-tac-toe, a board game: leave out --episodes.")
    with pytest.raises(CaudexError, match=r"run plays tic-tac-toe, not connect-four; give a run of connect-four\."):
        find_player(str(run), find_game("connect-four"))
    with pytest.raises(CaudexError, match=r"--simulations 100,001 is out of range; tic-tac-toe takes 1 to 100,000\."):
        find_player(str(run), find_game("tic-tac-toe"), 100_001)


def test_the_module_of_a_strangers_game_is_not_imported(run):
    Path("evil.py").write_text("open('canary', 'w')\n")
    shutil.copytree(run, "stranger")
    for name in ("settings.json", "spec.json"):
        file = Path("stranger", name)
        file.write_text(file.read_text().replace('"tic-tac-toe"', '"evil:Game"'))
    for words in (("play", "stranger"), ("serve", "stranger"), ("play", run, "--opponent", "stranger")):
        assert_refused(*words, because="its game evil:Game would import the module evil")
    assert not Path("canary").exists()


def test_flags_of_board_games_are_refused_elsewhere():
    refuse_flags(PlayFlags(Path("r"), episodes=3), GAME_FLAGS, "r plays no board game")
    with pytest.raises(CaudexError, match="r plays no board game: leave out --opening-moves"):
        refuse_flags(PlayFlags(Path("r"), opening_moves=0), GAME_FLAGS, "r plays no board game")
