import numpy as np
import pytest

from caudex.core.errors import CaudexError
from caudex.evaluation.connect_four_solver import ILLEGAL
from caudex.evaluation.optimal_moves import optimal_share, packaged_positions, positions_with_a_losing_choice


def best_columns(positions):
    return positions.move_values.argmax(1)


def test_the_packaged_set_has_a_thousand_positions_in_equal_numbers():
    positions = packaged_positions()
    assert len(positions.stones) == 1000 == len(set(zip(positions.stones.tolist(), positions.occupied.tolist())))
    plies, counts = np.unique(positions.plies, return_counts=True)
    assert plies.tolist() == list(range(4, 37)) and set(counts.tolist()) == {30, 31}
    legal = np.ma.masked_equal(positions.move_values, ILLEGAL)
    assert (legal.min(1) < legal.max(1)).all()


def test_the_packaged_set_is_that_of_its_seed():
    positions = packaged_positions()
    for ply in (22, 36):
        again = positions_with_a_losing_choice(30, 0, range(ply, ply + 1))
        rows = positions.plies == ply
        assert all((part[rows] == other).all() for part, other in zip(positions, again))


def test_a_count_that_does_not_divide_gives_the_first_plies_one_more():
    plies = positions_with_a_losing_choice(5, 3, range(30, 32)).plies
    assert plies.tolist() == [30, 30, 30, 31, 31]


def test_the_shares_of_a_player_are_known():
    positions = packaged_positions()
    best, worst = best_columns(positions), np.ma.masked_equal(positions.move_values, ILLEGAL).argmin(1)
    assert {share.share for share in optimal_share(lambda *_: best, positions).values()} == {1.0}
    assert {share.share for share in optimal_share(lambda *_: worst, positions).values()} == {0.0}
    early = optimal_share(lambda *_: np.where(positions.plies < 15, best, worst), positions)
    assert (early["opening"].share, early["middle"].share, early["end"].share) == (1, 0, 0)
    assert early["all"].positions == 1000 and early["all"].low < early["all"].share < early["all"].high
    assert sum(early[phase].positions for phase in ("opening", "middle", "end")) == 1000


@pytest.mark.parametrize(
    "columns, sentence",
    [
        (lambda best: best[:-1], "chose .999,. columns for 1000 positions"),
        (lambda best: np.where(np.arange(1000) == 3, 7, best), "chose column 7 in position 3"),
        (lambda best: np.where(np.arange(1000) == 3, -1, best), "chose column -1 in position 3"),
    ],
)
def test_moves_that_are_none_are_refused(columns, sentence):
    positions = packaged_positions()
    with pytest.raises(CaudexError, match=sentence):
        optimal_share(lambda *_: columns(best_columns(positions)), positions)


def test_a_full_column_is_refused():
    positions = packaged_positions()
    row = int(np.flatnonzero((positions.move_values == ILLEGAL).any(1))[0])
    columns = best_columns(positions)
    columns[row] = int((positions.move_values[row] == ILLEGAL).argmax())
    with pytest.raises(CaudexError, match=f"in position {row}, which is full"):
        optimal_share(lambda *_: columns, positions)
