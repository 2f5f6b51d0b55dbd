import numpy as np
import pytest

from caudex.envs.boards import find_game
from caudex.serve.board_layout import action_cells, board_cells, board_layout

MOVES = {
    "connect-four": "4 4 1",
    "go-5": "A1 E5 B4",
    "hex-4": "a1 d1 b3",
    "tic-tac-toe": "a1 c1 b3",
    "othello": "d3 c3",
    "chess": "e4 d5 exd5",
}
CELLS = {
    "connect-four": {38: "0", 31: "1", 35: "0"},
    "go-5": {20: "0", 4: "1", 6: "0"},
    "hex-4": {0: "0", 3: "1", 9: "0"},
    "tic-tac-toe": {0: "0", 2: "1", 7: "0"},
    "othello": {19: "0", 18: "1", 27: "1", 28: "0", 35: "0", 36: "1"},
}


@pytest.mark.parametrize("name", MOVES)
def test_stones_lie_where_their_moves_say_and_the_board_says_the_same_names(name):
    game = find_game(name)
    positions, layout = game.initial(1), board_layout(game)
    for number, move in enumerate(MOVES[name].split()):
        action = game.parse_action(positions, 0, move)
        source, target = action_cells(game, positions, action)
        row, column = divmod(target, layout["columns"])
        place = layout["column_names"][column] + layout["row_names"][row]
        assert place == (move[-2:] if name == "chess" else move)
        assert (source is None) == (name != "chess")
        positions = game.apply(positions, np.array([action]))
        assert board_cells(game, positions)[target] in (str(number % 2), "P", "p")
    cells = {cell: value for cell, value in enumerate(board_cells(game, positions)) if value}
    assert cells == CELLS.get(name, cells)


def test_pieces_of_chess_are_letters_from_the_eighth_rank():
    game = find_game("chess")
    cells = board_cells(game, game.initial(1))
    assert cells[:9] == [*"rnbqkbnr", "p"] and cells[-8:] == [*"RNBQKBNR"] and cells[16:48] == [""] * 32
    knight = game.parse_action(game.initial(1), 0, "Nf3")
    assert action_cells(game, game.initial(1), knight) == (62, 45)


def test_a_pass_and_an_unknown_game_have_no_cell():
    go, other = find_game("go-5"), find_game("open_spiel:breakthrough")
    assert action_cells(go, go.initial(1), 25) == (None, None)
    assert board_layout(other)["kind"] == "text" and board_cells(other, other.initial(1)) == []
