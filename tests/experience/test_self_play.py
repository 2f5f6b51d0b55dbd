"""Self-play: who won is told from each player's side, and games go on after a kill as if there had been none."""

import numpy as np
import pytest
import torch
from helpers.board_games import Noughts, minimax
from helpers.self_play import SETTINGS, small_learner

from caudex.envs.boards import find_game
from caudex.experience.game_window import GameWindow
from caudex.experience.self_play import SelfPlay, SelfPlayGames


def finished_games(game, count, **settings):
    games, finished = SelfPlayGames(game, small_learner(game), SETTINGS._replace(**settings), 0), []
    while len(finished) < count:
        finished += games.play()
    return finished


@pytest.mark.parametrize("search", ["gumbel", "puct"])
def test_values_are_those_of_who_is_to_move_and_positions_follow_from_each_other(search):
    outcomes = set()
    for played in finished_games(Noughts(), 30, search=search):
        length = len(played.value)
        assert (played.value == played.outcome * (-1.0) ** np.arange(length)).all()
        assert (played.policy.sum(1) == pytest.approx(1)) and (played.policy[~played.legal] == 0).all()
        own, other = played.planes[:-1, 0], played.planes[:-1, 1]
        assert (played.planes[1:, 0] == other).all()  # the opponent is to move then
        assert ((played.planes[1:, 1] - own).sum((1, 2)) == 1).all()
        last = minimax(tuple((played.planes[-1, 0] + 2 * played.planes[-1, 1]).ravel().tolist()), 0)
        assert last >= played.value[-1] or played.value[-1] == 0  # nobody wins what was lost
        outcomes.add(played.outcome)
    assert outcomes >= {1.0, -1.0}


def test_ownership_is_that_of_who_is_to_move():
    game = find_game("go-3?max_moves=6")
    for played in finished_games(game, 8):
        black = played.ownership[0]
        assert (played.ownership == np.where(np.arange(len(played.value)) % 2, -1, 1)[:, None, None] * black).all()
        assert np.sign(black.sum() - 7.5) == played.outcome
    assert not finished_games(Noughts(), 1)[0].ownership.any()


def test_the_value_may_be_mixed_with_that_of_the_search():
    mixed = [played.value for played in finished_games(Noughts(), 10, value_mix=0.5)]
    assert all((abs(values) <= 1).all() for values in mixed)
    assert any(len(set(abs(values))) > 2 for values in mixed)


def test_random_openings_are_of_different_lengths_and_are_not_learned_from():
    games = SelfPlayGames(Noughts(), small_learner(Noughts()), SETTINGS._replace(num_games=200, opening_moves=9), 0)
    stones = (games.positions.board != 0).sum(1)
    assert set(stones.tolist()) >= set(range(7)) and not Noughts().outcome(games.positions)[0].any()
    assert stones.tolist() == [len(progress.actions) for progress in games.games]
    assert not any(progress.values for progress in games.games)


@pytest.mark.parametrize("name", ["connect-four", "go-3", "tic-tac-toe"])
def test_games_go_on_from_a_checkpoint_bit_for_bit(name):
    game = find_game(name)

    def make_source():
        games = SelfPlayGames(game, small_learner(game), SETTINGS._replace(opening_moves=3), 0)
        return SelfPlay(games, GameWindow(game, 400), 16, 2.0, 1)

    source, resumed = make_source(), make_source()
    for _ in range(8):
        next(source)
    resumed.load_state_dict(source.state_dict())
    for _ in range(8):
        assert all(torch.equal(*parts) for parts in zip(next(source), next(resumed)))
    assert (source.samples_seen, source.flops) == (resumed.samples_seen, resumed.flops)
    assert source.metrics() == resumed.metrics()


def test_each_position_is_sampled_as_often_as_said():
    game = Noughts()
    source = SelfPlay(SelfPlayGames(game, small_learner(game), SETTINGS, 0), GameWindow(game, 1000), 32, 3.0, 1)
    for _ in range(50):
        next(source)
    assert 32 * 50 <= 3 * source.samples_seen < 32 * 50 + 3 * 6 * 9


@pytest.mark.parametrize("moves", [[0, 0], [99], [0, 3, 1, 4, 2]])
def test_moves_that_are_not_of_the_game_are_refused(moves):
    games = SelfPlayGames(Noughts(), small_learner(Noughts()), SETTINGS, 0)
    state = games.state_dict() | {"actions": [moves] + [[]] * 5}
    with pytest.raises(ValueError, match=r"legal|over"):
        games.load_state_dict(state)
