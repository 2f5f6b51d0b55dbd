import numpy as np
import pytest
from helpers.board_games import Noughts, NoughtsOfSome, NoughtsPosition, random_noughts, row_value

from caudex.core.errors import CaudexError
from caudex.envs.boards import select
from caudex.evaluation.baselines.game_uct import GameUCT, play_randomly


def boards(*rows):
    array = np.array([list(row) for row in rows])
    stones = ((array == "X") + 2 * (array == "O")).astype(np.int8)
    return NoughtsPosition(stones, np.array([(row != 0).sum() % 2 for row in stones]))


def test_it_wins_in_one_and_blocks_a_loss_for_either_player():
    # X wins, O wins, O blocks, X blocks
    positions = boards("XX.OO....", "XX.OO..X.", "XX.O.....", "X..OO...X")
    assert GameUCT(Noughts(), 200)(positions).tolist() == [2, 5, 2, 5]


def test_its_moves_keep_the_value_of_nearly_every_position_of_tic_tac_toe():
    game, positions = Noughts(), random_noughts(40, seed=3)
    after = game.apply(positions, GameUCT(game, 300, seed=1)(positions))
    kept = [row_value(positions, row) == -row_value(after, row) for row in range(40)]
    assert np.mean(kept) >= 0.95


def test_visits_are_the_rollouts_and_a_certain_win_is_worth_one():
    root = GameUCT(Noughts(), 150).search(boards("XX.OO...."))[0]
    assert root.visits.sum() == 150
    assert root.sums[0] == root.visits[0] > 75  # action 2 is the first that is legal


def test_a_game_is_not_asked_for_a_batch_of_none():
    root = GameUCT(NoughtsOfSome(), 5).search(boards("XOXXOOOX."))[0]  # the last free place: each rollout ends the game
    assert root.actions.tolist() == [8] and root.visits.tolist() == [5] and root.sums.tolist() == [0]


def test_games_of_one_batch_have_trees_of_their_own():
    positions = random_noughts(6, seed=0)
    nodes = GameUCT(Noughts(), 50).search(positions)
    for row, node in enumerate(nodes):
        assert node.actions.tolist() == np.flatnonzero(Noughts().legal(select(positions, [row]))[0]).tolist()


def test_rollouts_end_with_the_outcome_for_the_player_who_began():
    won_by_x, won_by_o = boards("XXXOO...."), boards("OOOXX.X..")
    for positions, outcome in ((won_by_x, 1), (won_by_o, -1)):
        assert play_randomly(Noughts(), positions, np.random.default_rng(0)).tolist() == [outcome]
    outcomes = play_randomly(Noughts(), Noughts().initial(4000), np.random.default_rng(0))
    # of random games 58.5% are won by the first player, 28.8% by the second, 12.7% drawn
    assert [np.mean(outcomes == value) for value in (1, -1, 0)] == pytest.approx([0.585, 0.288, 0.127], abs=0.03)


def test_no_rollouts_are_refused():
    with pytest.raises(CaudexError, match="at least 1 rollout a move, not 0"):
        GameUCT(Noughts(), 0)
