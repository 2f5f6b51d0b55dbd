"""Connect Four on bitboards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caudex.envs.boards.game import Game, Symmetry, turn, where

ROWS, COLUMNS = 6, 7
HEIGHT = ROWS + 1
"""bits of a column: an empty one on top keeps lines from running into the next column"""
COLUMN_BITS = np.uint64(HEIGHT) * np.arange(COLUMNS, dtype=np.uint64)  # [7], the lowest bit of each column
BOTTOMS = np.uint64(1) << COLUMN_BITS
TOPS = BOTTOMS << np.uint64(ROWS - 1)
COLUMN_MASKS = BOTTOMS * np.uint64((1 << ROWS) - 1)
FULL = np.bitwise_or.reduce(COLUMN_MASKS)
SQUARE_BITS = np.arange(ROWS - 1, -1, -1, dtype=np.uint64)[:, None] + COLUMN_BITS  # [6, 7], the highest row first
DIRECTIONS = (1, HEIGHT - 1, HEIGHT, HEIGHT + 1)  # up, down to the right, right, up to the right


class ConnectFourPosition(NamedTuple):
    """A stone in column c and row r, counted from below, is bit 7 c + r."""

    stones: np.ndarray  # uint64 [B], of the player to move
    occupied: np.ndarray  # uint64 [B], of both


class ConnectFour(Game):
    """Drop stones into 7 columns of 6 rows; four in a line win. An action is a column from 0; player 0 begins.

    The planes uint8 [B, 2, 6, 7] are the stones of the player to move and the opponent's. The mirror is its only symmetry.
    Source of the bitboards: John Tromp's Fhourstones (tromp.github.io/c4).
    """

    name = "connect-four"
    num_actions = COLUMNS
    shape = (2, ROWS, COLUMNS)
    max_moves = ROWS * COLUMNS

    def initial(self, batch: int) -> ConnectFourPosition:
        return ConnectFourPosition(np.zeros(batch, np.uint64), np.zeros(batch, np.uint64))

    def legal(self, positions: ConnectFourPosition) -> np.ndarray:
        is_open = (positions.occupied[:, None] & TOPS) == 0
        return is_open & ~has_line(positions.stones ^ positions.occupied)[:, None]

    def apply(self, positions: ConnectFourPosition, actions: np.ndarray) -> ConnectFourPosition:
        stones, occupied = positions
        dropped = occupied | (
            (occupied + BOTTOMS[actions]) & COLUMN_MASKS[actions]
        )  # the carry runs up to the first free row
        is_over, _ = self.outcome(positions)
        return where(~is_over, ConnectFourPosition(stones ^ occupied, dropped), positions)

    def outcome(self, positions: ConnectFourPosition) -> tuple[np.ndarray, np.ndarray]:
        is_lost = has_line(positions.stones ^ positions.occupied)  # only who moved last can have completed a line
        return is_lost | (positions.occupied == FULL), -is_lost.astype(np.float32)

    def planes(self, positions: ConnectFourPosition) -> np.ndarray:
        stones = np.stack([positions.stones, positions.stones ^ positions.occupied], 1)
        return ((stones[:, :, None, None] >> SQUARE_BITS) & np.uint64(1)).astype(np.uint8)

    def to_play(self, positions: ConnectFourPosition) -> np.ndarray:
        return (np.bitwise_count(positions.occupied) & 1).astype(np.int64)

    def symmetries(self) -> list[Symmetry]:
        mirror = Symmetry(lambda planes: turn(planes, 0, mirror=True), np.arange(COLUMNS)[::-1].copy())
        return [*super().symmetries(), mirror]

    def describe(self, positions: ConnectFourPosition, row: int) -> str:
        letters = "XO" if self.to_play(positions)[row] == 0 else "OX"  # X begins
        own, other = self.planes(positions)[row]
        board = np.where(own == 1, letters[0], np.where(other == 1, letters[1], "."))
        return "\n".join(" ".join(line) for line in [*board, "1234567"])

    def action_name(self, positions: ConnectFourPosition, row: int, action: int) -> str:
        return str(action + 1)


def has_line(stones: np.ndarray) -> np.ndarray:
    """bool [B]: whether four of uint64 [B] `stones` stand in a line."""
    is_line = np.zeros(len(stones), bool)
    for step in DIRECTIONS:
        pairs = stones & (stones >> np.uint64(step))
        is_line |= (pairs & (pairs >> np.uint64(2 * step))) != 0
    return is_line
