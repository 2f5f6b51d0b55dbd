"""Trees by hand, and choices that brute force confirms."""

import numpy as np
import pytest
from helpers.board_games import Noughts, NoughtsOfSome, NoughtsPosition, random_noughts, row_value

from caudex.experience.search.root import halving_phases
from caudex.experience.search.search import Search, masked_softmax

GAME = Noughts()


def know_nothing(planes):
    return np.zeros((len(planes), 9), np.float32), np.zeros(len(planes), np.float32)


def know_all(planes):
    """No preference among actions, and the value that perfect play has."""
    own, other = planes.reshape(len(planes), 2, 9).swapaxes(0, 1)
    player = (own.sum(1) != other.sum(1)).astype(np.int64)
    board = np.where(player[:, None] == 0, own + 2 * other, other + 2 * own).astype(np.int8)
    positions = NoughtsPosition(board, player)
    return know_nothing(planes)[0], np.array([row_value(positions, i) for i in range(len(planes))], np.float32)


def share_of_best(positions, actions) -> float:
    after = GAME.apply(positions, actions)
    return np.mean([-row_value(after, row) == row_value(positions, row) for row in range(len(actions))])


def test_without_knowledge_many_simulations_play_perfectly():
    positions = random_noughts(20, seed=0)
    result = Search(GAME, know_nothing, 2000, "puct", noise=0).run(positions)
    assert share_of_best(positions, result.actions) == 1
    assert (result.visits.sum(1) == 2000).all() and result.policy.sum(1) == pytest.approx(1)
    values = np.array([row_value(positions, row) for row in range(len(result.values))])
    assert (np.sign(result.values[values != 0]) == values[values != 0]).all()


@pytest.mark.parametrize("by", ["puct", "gumbel"])
def test_with_true_values_few_simulations_play_perfectly(by):
    positions = random_noughts(100, seed=1)
    result = Search(GAME, know_all, 100, by, noise=0).run(positions)
    assert share_of_best(positions, result.actions) == 1
    assert (result.policy[~GAME.legal(positions)] == 0).all() and result.policy.sum(1) == pytest.approx(1, abs=1e-5)


def test_three_simulations_by_hand():
    # X has 0 and 1 and moves; O has 3 and 4: place 2 wins for X at once, place 5 would for O
    positions = NoughtsPosition(np.array([[1, 1, 0, 2, 2, 0, 0, 0, 0]], np.int8), np.array([0]))

    def evaluate(planes):  # the priors of places 2, 5, 6: 0.5, 0.3, 0.2; all values 0.1
        logits = np.full((len(planes), 9), -30.0, np.float32)
        logits[:, [2, 5, 6]] = np.log([0.5, 0.3, 0.2])
        return logits, np.full(len(planes), 0.1, np.float32)

    search = Search(GAME, evaluate, 3, "puct", noise=0)
    result = search.run(positions)
    # 1: U is largest for the prior 0.5; X wins, Q = 1. 2 and 3: 1 + C 0.5 sqrt(2) / 2 > C 0.3 sqrt(2), and so on
    assert result.visits.tolist() == [[0, 0, 3, 0, 0, 0, 0, 0, 0]]
    assert (
        search.tree.value_sums[0, 0, 2] == pytest.approx(3) and search.tree.size[0] == 2
    )  # a finished game has one node
    assert result.values[0] == pytest.approx((0.1 + 3) / 4)


@pytest.mark.parametrize("by", ["puct", "gumbel"])
def test_a_game_is_not_asked_for_a_batch_of_none(by):
    # one place is free: every simulation but the first ends in the node of the finished game
    positions = NoughtsPosition(np.array([[1, 2, 1, 1, 2, 2, 2, 1, 0]], np.int8), np.array([0]))
    assert Search(NoughtsOfSome(), know_nothing, 4, by, noise=0).run(positions).visits.tolist() == [[0] * 8 + [4]]


def test_values_change_their_sign_with_the_player():
    positions = GAME.initial(1)
    search = Search(GAME, lambda planes: (np.zeros((len(planes), 9)), np.full(len(planes), 0.5)), 9, "puct", noise=0)
    search.run(positions)
    assert search.tree.value_sums[0, 0] == pytest.approx(-0.5)  # each child once, good for the opponent
    assert search.tree.visits[0, 0].tolist() == [1] * 9


def test_what_is_known_below_the_chosen_move_stays():
    positions = random_noughts(20, seed=2, max_plies=3)
    search = Search(GAME, know_all, 40, "puct", noise=0)
    result = search.run(positions)
    tree, actions = search.tree, result.actions
    child = tree.children[np.arange(len(actions)), 0, actions]
    visits = tree.visits[np.arange(len(actions)), child].copy()
    search.advance(actions)
    after = GAME.apply(positions, actions)
    goes_on = ~GAME.outcome(after)[0]
    assert np.array_equal(search.tree.visits[goes_on, 0], visits[goes_on])
    assert np.array_equal(search.positions.board[goes_on, 0], after.board[goes_on])
    assert search.tree.size.max() < 41 and (search.tree.parent[:, 0] == -1).all()
    again = search.run(after)
    assert (again.visits.sum(1)[goes_on] >= 40).all()
    assert share_of_best(NoughtsPosition(*(f[goes_on] for f in after)), again.actions[goes_on]) == 1


def test_noise_is_at_the_root_alone_and_new_each_time():
    positions = GAME.initial(4)
    search = Search(GAME, know_nothing, 50, "puct", noise=0.25, generator=np.random.default_rng(0))
    search.run(positions)
    priors = search.tree.priors
    assert priors[:, 0].sum(1) == pytest.approx(1, abs=1e-5) and (priors[:, 0].std(1) > 0.01).all()
    inner = priors[:, 1:][priors[:, 1:].sum(2) > 0]
    assert {len(np.unique(row[row > 0].round(6))) for row in inner} == {1}
    actions = np.array([0, 1, 2, 3])
    search.advance(actions)
    raw = search.tree.priors[:, 0].copy()
    search.run(GAME.apply(positions, actions))
    assert (raw > 0).sum() == 32 and np.abs(search.tree.priors[:, 0] - raw).max() > 0.01


@pytest.mark.parametrize(
    ("simulations", "considered"), [(16, 16), (32, 16), (200, 7), (50, 9), (3, 3), (1, 1), (7, 5), (800, 16)]
)
def test_halving_uses_all_simulations(simulations, considered):
    phases = halving_phases(simulations, considered)
    assert sum(count * each for count, each in phases) == simulations
    counts = [count for count, _ in phases]
    assert counts[0] == considered or simulations < considered or considered == 1
    assert all(later <= earlier for earlier, later in zip(counts, counts[1:]))


def test_illegal_actions_have_no_probability():
    policy = masked_softmax(np.array([[50.0, 0.0, -200.0, 1.0]]), np.array([[False, True, True, True]]))
    assert policy[0, 0] == 0 and policy[0, 2] > 0 and policy.sum() == pytest.approx(1)
    assert policy[0, 3] / policy[0, 1] == pytest.approx(np.e)
