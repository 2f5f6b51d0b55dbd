import numpy as np
import pytest
from helpers.connect_four import boards_of, play

from caudex.core.errors import CaudexError
from caudex.evaluation.baselines.uct import UCT, random_columns, search
from caudex.evaluation.optimal_moves import optimal_share, packaged_positions

WIN_IN_COLUMN_3 = [play(3, 0, 3, 0, 3, 0), play(3, 0, 3, 1, 3, 1)]
LOSS_IN_COLUMN_3 = [play(3, 0, 3, 0, 3), play(0, 3, 1, 3, 6, 3)]


@pytest.mark.parametrize("position", WIN_IN_COLUMN_3 + LOSS_IN_COLUMN_3)
def test_it_wins_in_one_and_blocks_a_loss(position):
    for seed in range(5):
        assert UCT(200, seed=seed)(*boards_of(position)).tolist() == [3]


def test_the_first_player_opens_in_the_centre():
    assert UCT(5000)(*boards_of(play())).tolist() == [3]


def test_left_and_right_are_visited_alike():
    generator = np.random.default_rng(0)
    visits = sum(search(0, 0, 200, 1.4, generator)[0] for _ in range(300))
    assert visits.sum() == 300 * 200  # one visit of a child a rollout
    assert visits == pytest.approx(visits[::-1], rel=0.1)


def test_outcomes_are_those_of_the_player_to_move():
    # whoever moves has three in column 3: the first player, or the second
    for position in (play(3, 0, 3, 0, 3, 0), play(6, 3, 0, 3, 0, 3, 6)):
        visits, values = search(*position, 500, 1.4, np.random.default_rng(0))
        assert values[3] == visits[3] > 300
        assert (values[:3] < visits[:3]).all()


def test_the_same_seed_plays_the_same_moves():
    positions = packaged_positions()[:2]
    assert (UCT(50, seed=1)(*positions) == UCT(50, seed=1)(*positions)).all()
    assert (UCT(50, seed=1)(*positions) != UCT(50, seed=2)(*positions)).any()


def test_more_rollouts_play_better_and_random_columns_keep_the_expected_share():
    positions = packaged_positions()
    random, few, many = (optimal_share(choose, positions)["all"] for choose in (random_columns(), UCT(20), UCT(300)))
    legal = np.ma.masked_less(positions.move_values, -1)
    expected = (legal == legal.max(1, keepdims=True)).mean(1).mean()
    assert random.low < expected < random.high < few.low and few.high < many.low


def test_no_rollouts_are_refused():
    with pytest.raises(CaudexError, match="at least 1 rollout a move, not 0"):
        UCT(0)
