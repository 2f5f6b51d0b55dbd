"""Layouts of mazes, many at once: random generation, split into training and test, shortest paths."""

from __future__ import annotations

import numpy as np

from caudex.envs.random_streams import GOLDEN_GAMMA, mix_bits, uniform_at

LOOP_SHARE = 0.12
"""share of the walls between cells that are open although the maze would be connected without them"""
UNREACHABLE = 1 << 14
"""the distance of what cannot be reached"""


def generate_layouts(seeds: np.ndarray, cells: int, test: np.ndarray) -> np.ndarray:
    """bool [N, S, S], true where a wall stands, S = 2 cells + 1: rooms at odd positions, passages or walls between them.

    The minimum spanning tree of the rooms under random weights of the walls between them (Prim's algorithm), and some more
    openings. Half of all layouts are for tests; they are drawn where bool [N] `test`, the others elsewhere. The half
    follows from the layout alone, and is the same for its rotations and reflections.
    """
    walls = np.empty((len(seeds), 2 * cells + 1, 2 * cells + 1), bool)
    remaining = np.arange(len(seeds))
    keys = mix_bits(seeds.astype(np.uint64))
    while len(remaining):
        walls[remaining] = _generate(keys[remaining], cells)
        remaining = remaining[is_test_layout(walls[remaining]) != test[remaining]]
        keys[remaining] = mix_bits(keys[remaining] + GOLDEN_GAMMA)
    return walls


def is_test_layout(walls: np.ndarray) -> np.ndarray:
    """bool [N]: whether these layouts are for tests."""
    side = walls.shape[1]
    weights = mix_bits(np.arange(1, side * side + 1, dtype=np.uint64)).reshape(side, side)
    copies = [np.rot90(grid, quarter_turns) for grid in (weights, weights.T) for quarter_turns in range(4)]
    sums = walls.reshape(len(walls), -1).astype(np.uint64) @ np.sum(copies, 0).reshape(-1)
    return mix_bits(sums) & np.uint64(1) == 1


def _generate(keys: np.ndarray, cells: int) -> np.ndarray:
    """A layout for each key, of either half."""
    side, rows = 2 * cells + 1, np.arange(len(keys))
    room = np.arange(cells * cells).reshape(cells, cells)
    first_rooms = np.concatenate(
        [room[:, :-1].reshape(-1), room[:-1].reshape(-1)]
    )  # the rooms on both sides of each wall
    second_rooms = np.concatenate([room[:, 1:].reshape(-1), room[1:].reshape(-1)])
    weights = uniform_at(keys[:, None], np.arange(1, len(first_rooms) + 1, dtype=np.uint64))
    # the tree uses order alone, so what is open besides must be drawn apart
    is_open = (
        uniform_at(keys[:, None], np.arange(len(first_rooms) + 1, 2 * len(first_rooms) + 1, dtype=np.uint64))
        < LOOP_SHARE
    )
    in_tree = np.zeros((len(keys), cells * cells), bool)
    in_tree[:, 0] = True
    for _ in range(cells * cells - 1):
        leaves_tree = in_tree[:, first_rooms] != in_tree[:, second_rooms]
        lightest_wall = np.where(leaves_tree, weights, 2).argmin(1)
        is_open[rows, lightest_wall] = True
        in_tree[rows, first_rooms[lightest_wall]] = in_tree[rows, second_rooms[lightest_wall]] = True
    walls = np.ones((len(keys), side * side), bool)
    positions = ((2 * (room // cells) + 1) * side + 2 * (room % cells) + 1).reshape(-1)
    walls[:, positions] = False
    walls[:, (positions[first_rooms] + positions[second_rooms]) // 2] = ~is_open
    return walls.reshape(-1, side, side)


def heading_offsets(side: int) -> np.ndarray:
    """Offsets in a flat [S, S] layout of one step to the north, east, south, west."""
    return np.array([-side, 1, side, -1])


def action_distances(goals: np.ndarray, walls: np.ndarray) -> np.ndarray:
    """int16 [N, 4, S, S]: actions from each position and heading (north, east, south, west) to the nearest goal, bool [N, S, S];
    UNREACHABLE where there is no path. Breadth-first search; a quarter turn is an action, a step forward is one."""
    min_distances = (
        np.where(walls, UNREACHABLE, 0).astype(np.int16).transpose(1, 2, 0)[1:-1, 1:-1].copy()
    )  # mazes last: that is fast
    steps = np.where(goals, 0, UNREACHABLE).astype(np.int16).transpose(1, 2, 0)[None].repeat(4, 0)
    inner = steps[:, 1:-1, 1:-1]
    ahead = steps[0, :-2, 1:-1], steps[1, 1:-1, 2:], steps[2, 2:, 1:-1], steps[3, 1:-1, :-2]
    while True:
        distances = np.stack(ahead)
        for turn in range(4):
            np.minimum(distances[turn], inner[turn - 1], out=distances[turn])
            np.minimum(distances[turn], inner[turn - 3], out=distances[turn])
        distances += 1
        np.maximum(distances, min_distances, out=distances)
        np.minimum(distances, inner, out=distances)
        if np.array_equal(distances, inner):
            return steps.transpose(3, 0, 1, 2)
        inner[:] = distances
