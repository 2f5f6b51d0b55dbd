"""How often a player of Connect Four keeps the game value, against the truth of the solver.

Positions are the bitboards of `connect_four_solver`. A choice loses if it lowers the game value: a win to a draw or a loss, or a
draw to a loss.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import NamedTuple

import numpy as np

from caudex.core.compiled import compiled
from caudex.core.errors import CaudexError
from caudex.evaluation.connect_four_solver import (
    COLUMNS,
    ILLEGAL,
    ConnectFourSolver,
    count_bits,
    has_four,
    opening_key,
    playable_squares,
    random_square,
)  # fmt: skip
from caudex.evaluation.intervals import wilson_interval

FIRST_PLY, LAST_PLY = 4, 36
PHASES = {"opening": range(4, 15), "middle": range(15, 26), "end": range(26, 37), "all": range(4, 37)}
"""plies of each phase, eleven of the 33"""

Choose = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""columns int64 [B] for `stones` and `occupied`, uint64 [B]"""


class SolvedPositions(NamedTuple):
    """B positions, by ply, with the value of each move, `ILLEGAL` for a full column."""

    stones: np.ndarray  # uint64 [B], of the player to move
    occupied: np.ndarray  # uint64 [B]
    move_values: np.ndarray  # int8 [B, 7]

    @property
    def plies(self) -> np.ndarray:
        return np.bitwise_count(self.occupied)


class OptimalShare(NamedTuple):
    """The share of moves that keep the game value, with its 95% interval (Wilson 1927)."""

    share: float
    low: float
    high: float
    positions: int


def optimal_share(choose: Choose, positions: SolvedPositions) -> dict[str, OptimalShare]:
    """By phase of the game; a phase without positions is left out.

    Raises CaudexError for another number of columns than positions, or a move that is not legal.
    """
    columns = np.asarray(choose(positions.stones, positions.occupied))
    if columns.shape != positions.stones.shape:
        raise CaudexError(
            f"the player chose {columns.shape} columns for {len(positions.stones)} positions; give one for each."
        )
    legal = (columns >= 0) & (columns < COLUMNS)
    values = np.take_along_axis(positions.move_values, np.where(legal, columns, 0)[:, None], 1)[:, 0]
    illegal = np.flatnonzero(~legal | (values == ILLEGAL))
    if len(illegal):
        row = illegal[0]
        raise CaudexError(
            f"the player chose column {columns[row]} in position {row}, which is full or not on the board."
        )
    keeps, shares = values == positions.move_values.max(1), {}
    for phase, plies in PHASES.items():
        rows = np.isin(positions.plies, plies)
        if rows.any():
            share = float(keeps[rows].mean())
            shares[phase] = OptimalShare(share, *wilson_interval(share, int(rows.sum())), int(rows.sum()))
    return shares


def positions_with_a_losing_choice(
    count: int, seed: int, plies: range = range(FIRST_PLY, LAST_PLY + 1), solver: ConnectFourSolver | None = None
) -> SolvedPositions:
    """`count` different positions of random legal play that is not over, equally many at each ply, one more at the first ones
    where they do not divide.

    The early plies take the time: `packaged_positions` has 1,000 that are solved.
    """
    solver, rows = solver or ConnectFourSolver(), []
    for index, ply in reversed(list(enumerate(plies))):  # late positions are quick and fill the solver's table
        generator, keys = np.random.default_rng([seed, ply]), set()
        while len(keys) < count // len(plies) + (index < count % len(plies)):
            position = np.array(random_position(ply, generator)).astype(np.uint64)
            key = int(opening_key(*position.astype(np.int64)))
            if key in keys:
                continue
            values = solver.move_values(*position)[0]
            if values[values != ILLEGAL].min() < values.max():
                keys.add(key)
                rows.append((ply, *position, values))
    rows.sort(key=lambda row: row[0])
    return SolvedPositions(*(np.array([row[part] for row in rows]) for part in (1, 2, 3)))


def packaged_positions() -> SolvedPositions:
    """1,000 positions of plies 4 to 36, of seed 0 (benchmarks/connect_four.py --positions made them)."""
    file = resources.files("caudex.evaluation") / "connect_four_positions.npz"
    with file.open("rb") as stream, np.load(stream) as arrays:
        return SolvedPositions(*(arrays[name] for name in SolvedPositions._fields))


@compiled
def random_position(ply, generator):
    """(stones, occupied) after `ply` random legal moves; a game that ends before is begun anew."""
    while True:
        stones, occupied = 0, 0
        for _ in range(ply):
            square = random_square(playable_squares(occupied), generator)
            if has_four(stones | square):
                break
            stones, occupied = occupied ^ stones, occupied | square
        if count_bits(occupied) == ply:
            return stones, occupied
