import numpy as np
from helpers.boards import NUM_GAMES, compare_with_open_spiel, random_positions

from caudex.envs.boards import check_game
from caudex.envs.boards.connect_four import ConnectFour, has_line


def play(columns):
    game = ConnectFour()
    positions = game.initial(1)
    for column in columns:
        positions = game.apply(positions, np.array([int(column) - 1]))
    return game, positions


def test_it_agrees_with_open_spiel_move_by_move():
    assert compare_with_open_spiel(ConnectFour(), "connect_four", {}, NUM_GAMES) == 0


def test_four_in_each_direction_win():
    for columns in ("1212121", "1122334", "12233434454", "76655454434"):
        game, positions = play(columns)
        is_over, value = game.outcome(positions)
        assert (is_over[0], value[0]) == (True, -1)  # the loser is to move
        assert not game.legal(positions).any()


def test_a_line_does_not_run_on_in_the_next_column():
    assert not has_line(np.array([0b111 << 3 | 1 << 7], np.uint64))[
        0
    ]  # three on top of one column, one at the foot of the next


def test_a_full_board_is_a_draw():
    game, positions = play("121212212121343434434343565656656565777777")
    assert [array.tolist() for array in game.outcome(positions)] == [[True], [0]]


def test_a_full_column_is_not_legal_and_planes_change_sides():
    game, positions = play("444444")
    assert game.legal(positions)[0].tolist() == [True, True, True, False, True, True, True]
    own, other = game.planes(positions)[0]
    assert own[:, 3].tolist() == [0, 1, 0, 1, 0, 1]  # from the top
    assert other[:, 3].tolist() == [1, 0, 1, 0, 1, 0]
    assert game.describe(positions, 0).splitlines()[0] == ". . . O . . ."


def test_it_keeps_the_contract():
    check_game(ConnectFour())


def test_random_games_end_within_their_limit():
    assert len([*random_positions(ConnectFour())]) <= ConnectFour.max_moves + 1
