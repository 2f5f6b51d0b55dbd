"""Layouts of mazes, many at once: drawn at random, told apart, and the shortest ways through them."""

from __future__ import annotations

import numpy as np

from caudex.envs.random_streams import STEP, drawn, mixed

LOOPS = 0.12
"""share of the walls between cells that are open although the maze would hang together without"""
FAR = 1 << 14
"""steps to what cannot be reached"""


def layouts(seeds: np.ndarray, cells: int, test: np.ndarray) -> np.ndarray:
    """bool [N, S, S], true where a wall stands, S = 2 cells + 1: rooms at odd places, passages or walls between them.

    A spanning tree of the rooms, the least of random weights on the walls between them (Prim's algorithm), and some
    openings more. Half of all layouts are for tests, and drawn where bool [N] `test` says so, the others elsewhere:
    which half one belongs to follows from itself, and is the same for its turned and mirrored copies.
    """
    walls = np.empty((len(seeds), 2 * cells + 1, 2 * cells + 1), bool)
    left = np.arange(len(seeds))
    keys = mixed(seeds.astype(np.uint64))
    while len(left):
        walls[left] = _drawn(keys[left], cells)
        left = left[halves(walls[left]) != test[left]]
        keys[left] = mixed(keys[left] + STEP)
    return walls


def halves(walls: np.ndarray) -> np.ndarray:
    """bool [N]: whether these layouts are for tests."""
    side = walls.shape[1]
    weights = mixed(np.arange(1, side * side + 1, dtype=np.uint64)).reshape(side, side)
    copies = [np.rot90(way, turns) for way in (weights, weights.T) for turns in range(4)]
    sums = walls.reshape(len(walls), -1).astype(np.uint64) @ np.sum(copies, 0).reshape(-1)
    return mixed(sums) & np.uint64(1) == 1


def _drawn(keys: np.ndarray, cells: int) -> np.ndarray:
    """A layout for each key, of either half."""
    side, rows = 2 * cells + 1, np.arange(len(keys))
    room = np.arange(cells * cells).reshape(cells, cells)
    one = np.concatenate([room[:, :-1].reshape(-1), room[:-1].reshape(-1)])  # the rooms on both sides of each wall
    other = np.concatenate([room[:, 1:].reshape(-1), room[1:].reshape(-1)])
    weights = drawn(keys[:, None], np.arange(1, len(one) + 1, dtype=np.uint64))
    # the tree uses order alone, so what is open besides must be drawn apart
    opened = drawn(keys[:, None], np.arange(len(one) + 1, 2 * len(one) + 1, dtype=np.uint64)) < LOOPS
    inside = np.zeros((len(keys), cells * cells), bool)
    inside[:, 0] = True
    for _ in range(cells * cells - 1):
        leaving = inside[:, one] != inside[:, other]
        least = np.where(leaving, weights, 2).argmin(1)
        opened[rows, least] = True
        inside[rows, one[least]] = inside[rows, other[least]] = True
    walls = np.ones((len(keys), side * side), bool)
    place = ((2 * (room // cells) + 1) * side + 2 * (room % cells) + 1).reshape(-1)
    walls[:, place] = False
    walls[:, (place[one] + place[other]) // 2] = ~opened
    return walls.reshape(-1, side, side)


def moves(side: int) -> np.ndarray:
    """Places in a flat [S, S] layout from one step to the north, east, south, west to the next."""
    return np.array([-side, 1, side, -1])


def steps_to(goals: np.ndarray, walls: np.ndarray) -> np.ndarray:
    """int16 [N, 4, S, S]: actions from each place and heading (north, east, south, west) to the nearest goal, bool [N, S, S];
    FAR where there is no way. Breadth-first: a turn by a quarter is an action, a step forward is one."""
    least = np.where(walls, FAR, 0).astype(np.int16).transpose(1, 2, 0)[1:-1, 1:-1].copy()  # mazes last: that is fast
    steps = np.where(goals, 0, FAR).astype(np.int16).transpose(1, 2, 0)[None].repeat(4, 0)
    inner = steps[:, 1:-1, 1:-1]
    ahead = steps[0, :-2, 1:-1], steps[1, 1:-1, 2:], steps[2, 2:, 1:-1], steps[3, 1:-1, :-2]
    while True:
        found = np.stack(ahead)
        for turn in range(4):
            np.minimum(found[turn], inner[turn - 1], out=found[turn])
            np.minimum(found[turn], inner[turn - 3], out=found[turn])
        found += 1
        np.maximum(found, least, out=found)
        np.minimum(found, inner, out=found)
        if np.array_equal(found, inner):
            return steps.transpose(3, 0, 1, 2)
        inner[:] = found
