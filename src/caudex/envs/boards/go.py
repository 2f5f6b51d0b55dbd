"""Go of any size from 3 to 19."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.boards import go_rules
from caudex.envs.boards.game import Game, Symmetry, board_symmetries

LETTERS = "ABCDEFGHJKLMNOPQRST"
"""of the columns; Go leaves out I"""


class GoPosition(NamedTuple):
    """Points are counted row by row from A1; 0 is empty, 1 black, 2 white."""

    boards: np.ndarray  # int8 [B, K, P], the present board first, then those before it
    history: np.ndarray  # uint64 [B, M + 1]: the hash of the board after each move, for superko
    moves: np.ndarray  # int64 [B], passes among them; Black moves at even numbers
    passes: np.ndarray  # int64 [B], in succession


class Go(Game):
    """Go by the rules of Tromp and Taylor, without suicide: a move may repeat no earlier board (positional superko, which includes
    simple ko), two passes or `max_moves` end the game, stones and what only they touch count, and White adds `komi`.

    An action is a point, counted row by row from A1, or the pass, the last; player 0 is Black. The planes uint8 [B, 2 K + 1, N, N] are
    the stones of the player to move and the opponent's on each of the last K = `history` boards, newest first, and whether Black is to
    move (AlphaGo Zero has K = 8). All 8 symmetries of the square hold. Boards are compared by Zobrist hashes of 64 bits.
    `max_moves` 0: twice the points, as OpenSpiel has it. Raises CaudexError for settings out of range.
    Sources: Tromp, "The game of Go" (tromp.github.io/go.html); Silver et al. 2017, "Neural network architecture".
    """

    def __init__(self, size: int = 9, komi: float = 7.5, history: int = 2, max_moves: int = 0):
        self.name = f"go-{size}"
        check_go_settings(self.name, size, komi, history, max_moves)
        self.size, self.komi, self.num_boards = size, komi, history
        self.points = size * size
        self.max_moves = max_moves or 2 * self.points
        self.num_actions = self.points + 1
        self.shape = (2 * history + 1, size, size)
        self.neighbors = neighbors_of(size)
        self.keys = np.random.default_rng(0).integers(1 << 64, size=(3, self.points), dtype=np.uint64)

    def initial(self, batch: int) -> GoPosition:
        boards = np.zeros((batch, self.num_boards, self.points), np.int8)
        history = np.zeros((batch, self.max_moves + 1), np.uint64)
        return GoPosition(boards, history, np.zeros(batch, np.int64), np.zeros(batch, np.int64))

    def legal(self, positions: GoPosition) -> np.ndarray:
        boards, history, moves, _ = positions
        legal = np.zeros((len(moves), self.num_actions), bool)
        rows = np.flatnonzero(~self.is_over(positions))
        go_rules.mark_legal(boards[:, 0], history, moves, rows, self.neighbors, self.keys, legal)
        return legal

    def apply(self, positions: GoPosition, actions: np.ndarray) -> GoPosition:
        boards, history, moves, passes = (array.copy() for array in positions)
        rows = np.flatnonzero(~self.is_over(positions))
        boards[rows, 1:] = positions.boards[rows, :-1]
        go_rules.place_stones(boards[:, 0], history, moves, rows, np.asarray(actions), self.neighbors, self.keys)
        moves[rows] += 1
        passes[rows] = np.where(actions[rows] == self.points, passes[rows] + 1, 0)
        return GoPosition(boards, history, moves, passes)

    def is_over(self, positions: GoPosition) -> np.ndarray:
        return (positions.passes >= 2) | (positions.moves >= self.max_moves)

    def outcome(self, positions: GoPosition) -> tuple[np.ndarray, np.ndarray]:
        is_over = self.is_over(positions)
        black_lead = np.where(is_over, self.areas(positions, is_over).sum(1) - self.komi, 0)
        return is_over, np.sign(np.where(positions.moves % 2, -black_lead, black_lead)).astype(np.float32)

    def areas(self, positions: GoPosition, mask: np.ndarray) -> np.ndarray:
        """int8 [B, P]: 1 for Black's area, -1 for White's, 0 for neither's, and in rows outside the mask."""
        boards = positions.boards[:, 0]
        owners = np.zeros(boards.shape, np.int8)
        go_rules.mark_owners(boards, np.flatnonzero(mask), self.neighbors, owners)
        return owners

    def ownership(self, positions: GoPosition) -> np.ndarray:
        areas = self.areas(positions, np.ones(len(positions.moves), bool))
        return areas.reshape(-1, self.size, self.size)

    def planes(self, positions: GoPosition) -> np.ndarray:
        count = len(positions.moves)
        colors = 1 + positions.moves[:, None, None] % 2
        planes = np.empty((count, self.shape[0], self.points), np.uint8)
        planes[:, 0:-1:2] = positions.boards == colors
        planes[:, 1:-1:2] = positions.boards == 3 - colors
        planes[:, -1] = colors[:, 0] == 1
        return planes.reshape(count, *self.shape)

    def to_play(self, positions: GoPosition) -> np.ndarray:
        return positions.moves % 2

    def symmetries(self) -> list[Symmetry]:
        return board_symmetries(np.arange(self.points).reshape(self.size, self.size), self.num_actions)

    def describe(self, positions: GoPosition, row: int) -> str:
        board = positions.boards[row, 0].reshape(self.size, self.size)
        lines = [f"{y + 1:2} " + " ".join(".XO"[stone] for stone in board[y]) for y in reversed(range(self.size))]
        return "\n".join([*lines, "   " + " ".join(LETTERS[: self.size])])

    def action_name(self, positions: GoPosition, row: int, action: int) -> str:
        if action == self.points:
            return "pass"
        return f"{LETTERS[action % self.size]}{action // self.size + 1}"


def check_go_settings(name: str, size: int, komi: float, history: int, max_moves: int) -> None:
    if not 3 <= size <= 19:
        raise CaudexError(f"{name}: Go is played here on boards from go-3 to go-19.")
    if isinstance(komi, bool) or not isinstance(komi, (int, float)) or not math.isfinite(komi):
        raise CaudexError(f"{name}: komi {komi!r} is not a number; give one, as {name}?komi=7.5.")
    if type(history) is not int or not 1 <= history <= 16:
        raise CaudexError(f"{name}: history {history!r}; give how many boards the planes show, from 1 to 16.")
    if type(max_moves) is not int or not 0 <= max_moves <= 10_000:
        raise CaudexError(
            f"{name}: max_moves {max_moves!r}; give a number of moves from 1 to 10,000, or 0 for twice the points."
        )


def neighbors_of(size: int) -> np.ndarray:
    """int16 [P, 4]: the points beside each point, -1 at the edge; the first and third are those counted before it."""
    board = np.pad(np.arange(size * size, dtype=np.int16).reshape(size, size), 1, constant_values=-1)
    near = (board[:-2, 1:-1], board[2:, 1:-1], board[1:-1, :-2], board[1:-1, 2:])
    return np.stack(near, -1).reshape(-1, 4)
