"""A small game whose every position can be solved."""

from functools import cache
from typing import NamedTuple

import numpy as np

from caudex.envs.boards.game import Game

LINES = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]])


class NoughtsPosition(NamedTuple):
    board: np.ndarray  # int8 [B, 9]: 0 empty, 1 and 2 the players
    player: np.ndarray  # int64 [B]


class Noughts(Game):
    """Tic-tac-toe in numpy."""

    name, num_actions, shape, max_moves = "noughts", 9, (2, 3, 3), 9

    def initial(self, batch):
        return NoughtsPosition(np.zeros((batch, 9), np.int8), np.zeros(batch, np.int64))

    def to_play(self, positions):
        return positions.player

    def outcome(self, positions):
        is_lost = (positions.board[:, LINES] == (2 - positions.player)[:, None, None]).all(2).any(1)
        return is_lost | (positions.board != 0).all(1), -is_lost.astype(np.float32)

    def legal(self, positions):
        return (positions.board == 0) & ~self.outcome(positions)[0][:, None]

    def apply(self, positions, actions):
        board, is_over = positions.board.copy(), self.outcome(positions)[0]
        rows = np.flatnonzero(~is_over)
        board[rows, actions[rows]] = positions.player[rows] + 1
        return NoughtsPosition(board, np.where(is_over, positions.player, 1 - positions.player))

    def planes(self, positions):
        own = positions.board == (positions.player + 1)[:, None]
        other = positions.board == (2 - positions.player)[:, None]
        return np.stack([own, other], 1).reshape(-1, *self.shape).astype(np.uint8)


class NoughtsOfSome(Noughts):
    """It refuses a batch of no games, as `array.reshape(len(array), -1)` does."""

    def outcome(self, positions):
        assert len(positions.player)
        return super().outcome(positions)


@cache
def minimax(board: tuple[int, ...], player: int) -> float:
    """The value for the player to move, by looking at everything."""
    game, positions = Noughts(), NoughtsPosition(np.array([board], np.int8), np.array([player]))
    is_over, values = game.outcome(positions)
    if is_over[0]:
        return float(values[0])
    return max(-row_value(game.apply(positions, np.array([a])), 0) for a in np.flatnonzero(game.legal(positions)[0]))


def row_value(positions: NoughtsPosition, row: int) -> float:
    return minimax(tuple(positions.board[row].tolist()), int(positions.player[row]))


def random_noughts(count: int, seed: int, max_plies: int = 6) -> NoughtsPosition:
    """Positions of games that are not over, after random legal moves."""
    game, rng = Noughts(), np.random.default_rng(seed)
    positions, plies = game.initial(2 * count), rng.integers(0, max_plies + 1, 2 * count)
    for ply in range(max_plies):
        legal = game.legal(positions)
        actions = np.array([rng.choice(np.flatnonzero(row)) if row.any() else 0 for row in legal])
        moved, goes_on = game.apply(positions, actions), ply < plies
        board = np.where(goes_on[:, None], moved.board, positions.board)
        positions = NoughtsPosition(board, np.where(goes_on, moved.player, positions.player))
    rows = np.flatnonzero(~game.outcome(positions)[0])[:count]
    return NoughtsPosition(positions.board[rows], positions.player[rows])
