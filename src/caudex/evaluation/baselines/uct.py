"""MCTS-N: UCT with N random rollouts a move, for Connect Four, compiled by numba on the bitboards of the solver.

Sources: Kocsis and Szepesvári 2006; Browne et al. 2012, algorithm 2. numba's cache does not see changes of the solver's file:
after changing its bitboards, delete the `__pycache__` beside this file.
"""

from __future__ import annotations

import math

import numpy as np

from caudex.core.compiled import compiled
from caudex.core.errors import CaudexError
from caudex.evaluation.connect_four_solver import (
    BOARD,
    COLUMN,
    COLUMNS,
    SQUARES,
    check_positions,
    has_four,
    playable_squares,
    random_square,
    winning_squares,
)  # fmt: skip

EXPLORATION = 1.4
"""the best of 0.7, 1.4 and 2.8 for 1,000 rollouts, with outcomes from -1 to 1: results/connect-four-baselines.csv"""


class UCT:
    """Plays the most visited move of a search of `rollouts` random games, each from a new leaf of the tree."""

    def __init__(self, rollouts: int, exploration: float = EXPLORATION, seed: int = 0):
        if rollouts < 1:
            raise CaudexError(f"UCT needs at least 1 rollout a move, not {rollouts}.")
        self.rollouts, self.exploration, self.generator = rollouts, exploration, np.random.default_rng(seed)

    def __call__(self, stones: np.ndarray, occupied: np.ndarray) -> np.ndarray:
        """Columns int64 [B], for bitboards uint64 [B] of games that go on."""
        positions = zip(*check_positions(stones, occupied))
        return np.array(
            [best_column(*search(*position, self.rollouts, self.exploration, self.generator)) for position in positions]
        )


def random_columns(seed: int = 0):
    """A player that draws its columns uniformly from the legal ones."""
    generator = np.random.default_rng(seed)

    def choose(stones: np.ndarray, occupied: np.ndarray) -> np.ndarray:
        _, occupied = check_positions(stones, occupied)
        return np.array([int(random_square(playable_squares(both), generator)).bit_length() // 7 for both in occupied])

    return choose


def best_column(visits: np.ndarray, values: np.ndarray) -> int:
    """The most visited; among equals the one of the higher mean."""
    return int(np.argmax(visits + 0.4 * values / np.maximum(visits, 1)))


@compiled
def rollout(stones, occupied, generator):
    """The outcome of a random game, for the player to move: 1, 0 or -1."""
    sign = 1
    while occupied != BOARD:
        square = random_square(playable_squares(occupied), generator)
        if has_four(stones | square):
            return sign
        stones, occupied, sign = occupied ^ stones, occupied | square, -sign
    return 0


@compiled
def select_square(node, playable, children, visits, values, exploration, generator):
    """An untried move at random; once all were tried, the one of the highest upper confidence bound."""
    untried, best_bound, best = 0, -math.inf, 0
    for column in range(COLUMNS):
        square, child = playable & (COLUMN << 7 * column), children[node, column]
        if square and child == 0:
            untried |= square
        elif square:
            bound = values[child] / visits[child] + exploration * math.sqrt(math.log(visits[node]) / visits[child])
            if bound > best_bound:
                best_bound, best = bound, square
    return random_square(untried, generator) if untried else best


@compiled
def search(stones, occupied, rollouts, exploration, generator):
    """Visits int64 [7] and sums of outcomes float64 [7] of the columns, for the player to move."""
    children = np.zeros((rollouts + 1, COLUMNS), np.int64)  # 0: not in the tree
    visits, values = (
        np.zeros(rollouts + 1, np.int64),
        np.zeros(rollouts + 1),
    )  # a value is for the player who moved there
    path = np.zeros(SQUARES + 1, np.int64)
    size = 1
    for _ in range(rollouts):
        own, both, depth, outcome, is_new = stones, occupied, 0, 0, False
        while not is_new and outcome == 0 and both != BOARD:
            node = path[depth]
            square = select_square(node, playable_squares(both), children, visits, values, exploration, generator)
            column = 0
            while not square & (COLUMN << 7 * column):
                column += 1
            outcome = 1 if square & winning_squares(own, both) else 0
            own, both, depth = both ^ own, both | square, depth + 1
            is_new = children[node, column] == 0
            if is_new:
                children[node, column] = size
                size += 1
            path[depth] = children[node, column]
        if outcome == 0:
            outcome = -rollout(own, both, generator)
        for level in range(depth, -1, -1):
            visits[path[level]] += 1
            values[path[level]] += outcome
            outcome = -outcome
    root_visits, root_values = np.zeros(COLUMNS, np.int64), np.zeros(COLUMNS)
    for column in range(COLUMNS):
        if children[0, column]:
            root_visits[column], root_values[column] = visits[children[0, column]], values[children[0, column]]
    return root_visits, root_values
