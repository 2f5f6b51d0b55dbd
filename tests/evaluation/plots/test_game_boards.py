"""What the figure of a game shows of games with stones, and of others."""

import numpy as np
from helpers.board_games import Noughts, NoughtsPosition
from matplotlib.figure import Figure

from caudex.evaluation.plots.game_boards import has_stones, write_board


class WithTurn(Noughts):
    """Its planes are what is occupied, and whose turn it is."""

    def planes(self, positions):
        occupied, turn = positions.board != 0, np.broadcast_to(positions.player[:, None] == 0, positions.board.shape)
        return np.stack([occupied, turn], 1).reshape(-1, *self.shape).astype(np.uint8)

    def describe(self, positions, row):
        return "X..\n.O.\n..."


START = Noughts().initial(1)
MIDDLE = NoughtsPosition(np.array([[1, 0, 0, 0, 2, 0, 0, 0, 0]], np.int8), np.array([0]))


def test_planes_that_overlap_are_no_stones():
    assert has_stones(Noughts(), [START, MIDDLE])
    assert has_stones(WithTurn(), [START]) and not has_stones(WithTurn(), [START, MIDDLE])


def test_such_a_board_is_written_with_the_name_of_its_move():
    axis = Figure().subplots()
    write_board(axis, WithTurn(), MIDDLE, 5)
    assert axis.texts[0].get_text() == "X..\n.O.\n..." and axis.get_xlabel() == "5"
