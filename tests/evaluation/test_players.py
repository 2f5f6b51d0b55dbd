import numpy as np
import pytest
from helpers.board_games import Noughts

from caudex.core.errors import CaudexError
from caudex.envs.boards import find_game, select
from caudex.evaluation.matches import play_match
from caudex.evaluation.players import find_player


def test_random_draws_every_legal_move_and_no_other():
    game = find_game("connect-four")
    positions = game.initial(700)
    for _ in range(6):
        positions = game.apply(positions, np.zeros(700, np.int64))  # column 1 is full
    counts = np.bincount(find_player("random", game)(positions), minlength=7)
    assert counts[0] == 0 and counts[1:] == pytest.approx(np.full(6, 700 / 6), abs=40)


def test_mcts_of_connect_four_is_the_compiled_one():
    game = find_game("connect-four")
    positions = select(game.initial(1), np.zeros(2, int))
    from caudex.evaluation.baselines.uct import UCT

    assert (find_player("mcts-50", game, seed=3)(positions) == UCT(50, seed=3)(*positions)).all()


def test_mcts_beats_random():
    for game in (find_game("connect-four"), Noughts()):
        players = find_player("mcts-200", game, seed=0), find_player("random", game, seed=1)
        result = play_match(game, players, 20)
        assert result.scores.mean() > 0.8 and (result.of_side(0) >= 0.5).all()


def test_the_solver_never_loses_as_first_player():
    game = find_game("connect-four")
    players, positions = (find_player("solver", game, seed=0), find_player("mcts-50", game, seed=1)), game.initial(1)
    assert players[0](positions).tolist() == [3]  # the one opening that wins
    for ply in range(42):
        positions = game.apply(positions, players[ply % 2](positions))
        is_over, values = game.outcome(positions)
        if is_over[0]:
            break
    assert ply % 2 == 0 and values.tolist() == [-1]  # of the opponent, who would move next


def test_the_same_seed_plays_the_same_game():
    game = find_game("connect-four")
    games = [
        play_match(game, (find_player("mcts-20", game, seed=5), find_player("random", game, seed=6)), 4) for _ in "ab"
    ]
    assert [moves.tolist() for moves in games[0].moves] == [moves.tolist() for moves in games[1].moves]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("solver", "the solver plays connect-four, not noughts"),
        ("mcts", "'mcts' is no player; give random, mcts-N"),
        ("mcts-0", "at least 1 rollout a move, not 0"),
        ("runs/none", "'runs/none' is no player"),
    ],
)
def test_what_is_no_player_of_the_game_is_refused(name, sentence):
    with pytest.raises(CaudexError, match=sentence):
        find_player(name, Noughts())
