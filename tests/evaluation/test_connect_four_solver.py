import numpy as np
import pytest
from helpers.connect_four import boards_of, grid_of, minimax, play, wins

from caudex.core.errors import CaudexError
from caudex.evaluation import connect_four_solver
from caudex.evaluation.connect_four_solver import COLUMN, COLUMNS, ILLEGAL, ConnectFourSolver
from caudex.evaluation.optimal_moves import packaged_positions, random_position

PUBLISHED_COUNTS = (1, 7, 49, 238, 1_120, 4_263, 16_422)
"""positions by ply (Tromp; OEIS A212693)"""


@pytest.fixture(scope="module")
def solver():
    return ConnectFourSolver(table_bits=18)


def random_positions(ply, count, seed=0):
    generator = np.random.default_rng(seed)
    return [tuple(int(board) for board in random_position(ply, generator)) for _ in range(count)]


def test_the_first_player_wins_only_in_the_centre(solver):
    assert solver.move_values(*play())[0].tolist() == [-1, -1, 0, 1, 0, -1, -1]


def test_the_positions_of_each_ply_are_as_many_as_published():
    positions = {(0, 0)}
    for count in PUBLISHED_COUNTS:
        assert len(positions) == count
        positions = {
            (occupied ^ stones, occupied | square)
            for stones, occupied in positions
            if not connect_four_solver.has_four(occupied ^ stones)
            for column in range(COLUMNS)
            if (square := (occupied + (1 << 7 * column)) & (COLUMN << 7 * column))
        }


@pytest.mark.parametrize("ply, count", [(36, 20), (35, 10), (34, 6)])
def test_scores_near_the_end_are_those_of_minimax(solver, ply, count):
    positions = random_positions(ply, count)
    scores = [minimax(grid_of(*position)) for position in positions]
    assert solver.scores(*boards_of(*positions)).tolist() == scores
    assert solver.values(*boards_of(*positions)).tolist() == np.sign(scores).tolist()


def test_a_win_in_one_scores_more_than_a_later_one(solver):
    three_in_column_3 = play(3, 0, 3, 0, 3, 0)
    scores = solver.move_scores(*three_in_column_3)[0]
    assert scores[3] == 22 - 4 == scores.max()
    assert scores[0] < 18  # it blocks, and wins later or not at all
    assert all(scores[column] == -(22 - 4) for column in (1, 2, 4, 5, 6))  # the opponent's fourth stone ends the game


def test_a_full_column_is_illegal(solver):
    assert solver.move_values(*play(0, 0, 0, 0, 0, 0))[0, 0] == ILLEGAL


def test_moves_of_the_mirror_image_are_mirrored_and_the_best_move_is_the_position(solver):
    for ply in (16, 22, 28):
        for stones, occupied in random_positions(ply, 5):
            mirrored = tuple(
                sum(((board >> 7 * column) & 127) << 7 * (6 - column) for column in range(7))
                for board in (stones, occupied)
            )
            scores = solver.move_scores(stones, occupied)
            assert scores[0].tolist() == solver.move_scores(*mirrored)[0, ::-1].tolist()
            assert (
                np.sign(scores[scores != ILLEGAL]).tolist()
                == solver.move_values(stones, occupied)[scores != ILLEGAL].tolist()
            )


def test_a_child_scores_the_opposite_of_the_move_to_it(solver):
    for stones, occupied in random_positions(20, 5):
        for column, score in enumerate(solver.move_scores(stones, occupied)[0]):
            square = (occupied + (1 << 7 * column)) & (COLUMN << 7 * column)
            if square and not wins(grid_of(stones | square, occupied | square), 1):
                assert solver.scores(occupied ^ stones, occupied | square) == -score


def test_a_small_table_gives_the_same_scores(solver):
    positions = boards_of(*random_positions(18, 10))
    assert (ConnectFourSolver(table_bits=6).move_scores(*positions) == solver.move_scores(*positions)).all()


def test_the_openings_agree_with_the_moves_that_follow_them(solver):
    # ply 8 looked up, its moves solved: the value is the best of them
    keys, values = solver.openings
    for stones, occupied in random_positions(8, 1, seed=4):
        value = values[np.searchsorted(keys, connect_four_solver.opening_key(stones, occupied))]
        assert solver.values(stones, occupied) == value


def test_the_packaged_values_are_solved_again(solver):
    positions = packaged_positions()
    for ply in (4, 5, 6, 7, 18, 24, 30, 36):
        rows = np.flatnonzero(positions.plies == ply)[:10]
        assert (
            solver.move_values(positions.stones[rows], positions.occupied[rows]) == positions.move_values[rows]
        ).all()


@pytest.mark.parametrize(
    "stones, occupied, sentence",
    [
        (1, 0, "are no Connect Four position"),  # a stone where none is
        (0, 2, "are no Connect Four position"),  # it floats
        (1, 1, "are no Connect Four position"),  # the first player is not to move after the first move
        (0, 1 << 6, "are no Connect Four position"),  # above the board
        (*play(3, 0, 3, 0, 3, 0, 3), "is over"),
    ],
)
def test_bitboards_that_no_one_moves_in_are_refused(solver, stones, occupied, sentence):
    with pytest.raises(CaudexError, match=sentence):
        solver.values(stones, occupied)
