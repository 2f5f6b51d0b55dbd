"""Connect Four on bitboards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caudex.core.compiled import compiled
from caudex.envs.boards.game import Game, Symmetry, turn

ROWS, COLUMNS = 6, 7
HEIGHT = ROWS + 1
"""bits of a column: an empty one on top keeps lines from running into the next column"""
COLUMN_BITS = np.uint64(HEIGHT) * np.arange(COLUMNS, dtype=np.uint64)  # [7], the lowest bit of each column
BOTTOMS = np.uint64(1) << COLUMN_BITS
TOPS = BOTTOMS << np.uint64(ROWS - 1)
COLUMN_MASKS = BOTTOMS * np.uint64((1 << ROWS) - 1)
FULL = np.bitwise_or.reduce(COLUMN_MASKS)
SQUARE_BITS = np.arange(ROWS - 1, -1, -1, dtype=np.uint64)[:, None] + COLUMN_BITS  # [6, 7], the highest row first
STEPS = tuple(np.uint64(step) for step in (1, HEIGHT - 1, HEIGHT, HEIGHT + 1))
"""to the next square: up, down to the right, right, up to the right"""


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
        return ConnectFourPosition(*drop_stones(*positions, actions, BOTTOMS, COLUMN_MASKS))

    def outcome(self, positions: ConnectFourPosition) -> tuple[np.ndarray, np.ndarray]:
        is_lost = has_line(positions.stones ^ positions.occupied)  # only who moved last can have completed a line
        return is_lost | (positions.occupied == FULL), -is_lost.astype(np.float32)

    def planes(self, positions: ConnectFourPosition) -> np.ndarray:
        planes = np.empty((len(positions.stones), *self.shape), np.uint8)
        draw_stones(*positions, SQUARE_BITS, planes)
        return planes

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


@compiled
def is_won(stones):
    """Whether four of uint64 `stones` stand in a line."""
    for step in STEPS:
        pairs = stones & (stones >> step)
        if pairs & (pairs >> (step + step)):
            return True
    return False


@compiled
def has_line(stones):
    """bool [B]: `is_won` of uint64 [B]."""
    is_line = np.empty(len(stones), np.bool_)
    for row in range(len(stones)):
        is_line[row] = is_won(stones[row])
    return is_line


@compiled
def drop_stones(stones, occupied, actions, bottoms, columns):
    """New stones and occupied squares uint64 [B] after `actions` [B] of games that are not over; the others are as they were."""
    next_stones, dropped = stones.copy(), occupied.copy()
    for row in range(len(stones)):
        action = actions[row]
        place = (occupied[row] + bottoms[action]) & columns[action]  # the carry runs up to the first free row
        if place and not is_won(stones[row] ^ occupied[row]):
            next_stones[row] ^= occupied[row]
            dropped[row] |= place
    return next_stones, dropped


@compiled
def draw_stones(stones, occupied, square_bits, planes):
    """Fill `planes` uint8 [B, 2, 6, 7]: the player's stones, and the opponent's."""
    for row in range(len(stones)):
        other = stones[row] ^ occupied[row]
        for y in range(ROWS):
            for x in range(COLUMNS):
                planes[row, 0, y, x] = (stones[row] >> square_bits[y, x]) & np.uint64(1)
                planes[row, 1, y, x] = (other >> square_bits[y, x]) & np.uint64(1)
