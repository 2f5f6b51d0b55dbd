"""Mazes: find the ball, and find it again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.meta.maze_camera import MazeCamera
from caudex.envs.meta.maze_layouts import action_distances, generate_layouts, heading_offsets
from caudex.envs.meta.maze_tiles import render_above, render_around, textures
from caudex.envs.meta.task_family import FIRST_TEST_SEED, TaskFamily, gymnasium_spaces
from caudex.envs.random_streams import uniform_from_seeds

FORWARD, LEFT, RIGHT = range(3)


class MazeSize(NamedTuple):
    cells: int
    max_episode_steps: int


SIZES = {"small": MazeSize(5, 250), "large": MazeSize(9, 1000)}
VIEWS = ("inside", "above")
PIXELS, REACH, TILE = 32, 3, 4
"""of an image from inside; from above: tiles seen in each direction, and pixels of one"""
BRICKS = 0.55
"""share of the walls that are of bricks; the others are landmarks"""


class Mazes(TaskFamily):
    """A maze of 5 x 5 or 9 x 9 rooms with a ball, somewhere, to be reached; maze, ball and start stay for the trial.

    Rooms and the passages between them are tiles; an action is a step forward by a tile, or a quarter turn to the left or
    right. Rewards: 1 at the ball, -0.04 a step, -0.001 against a wall; an episode ends at the ball, and is truncated after
    250 steps or 1000 (Duan et al. 2016, section 3.3, whose mazes are ViZDoom's, with motion in smaller steps). Observed: what
    is ahead, or with the view "above" what is within three tiles, walls or not. Tasks for tests have layouts that no others
    can have, see `generate_layouts`. Raises CaudexError for an unknown size or view.
    """

    name = "mazes"

    def __init__(self, num_tasks: int, size: str = "small", view: str = "inside"):
        for setting, value, options in (("size", size, SIZES), ("view", view, VIEWS)):
            if value not in options:
                raise CaudexError(
                    f"mazes have no {setting} {value!r}.{did_you_mean(value, options)} Known: {', '.join(options)}."
                )
        self.num_tasks, (self.cells, self.max_episode_steps) = num_tasks, SIZES[size]
        self.side = side = 2 * self.cells + 1
        pixels = PIXELS if view == "inside" else (2 * REACH + 1) * TILE
        spaces = gymnasium_spaces()
        self.observation_space = spaces.Box(0, 255, (3, pixels, pixels), np.uint8)
        self.action_space = spaces.Discrete(3)
        self.camera = MazeCamera(side, PIXELS) if view == "inside" else None
        self.walls = np.zeros((num_tasks, side, side), np.uint8)  # 0 is free, t a wall of texture t - 1
        self.start_position, self.start_heading, self.target, self.position, self.heading = np.zeros(
            (5, num_tasks), np.int64
        )
        self.rows, self.heading_offsets = np.arange(num_tasks), heading_offsets(side)
        self.observations = np.zeros((num_tasks, *self.observation_space.shape), np.uint8)

    def sample_tasks(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        task_seeds, side, rooms = seeds[mask], self.side, self.cells**2
        uniform = uniform_from_seeds(task_seeds + (1 << 40), side * side + 3).T  # a stream of their own
        tile_values = 2 + (uniform[:, 3:] - BRICKS) / (1 - BRICKS) * (len(textures()) - 1)
        tile_values = np.where(tile_values < 2, 1, tile_values).astype(np.uint8).reshape(-1, side, side)
        self.walls[mask] = tile_values * generate_layouts(task_seeds, self.cells, task_seeds >= FIRST_TEST_SEED)
        start = (uniform[:, 0] * rooms).astype(int)
        target = (start + 1 + (uniform[:, 1] * (rooms - 1)).astype(int)) % rooms
        self.start_position[mask], self.target[mask] = self.room_positions(start), self.room_positions(target)
        self.start_heading[mask] = (uniform[:, 2] * 4).astype(int)

    def room_positions(self, number: np.ndarray) -> np.ndarray:
        """Positions in the flat maze of the rooms of these numbers."""
        return (2 * (number // self.cells) + 1) * self.side + 2 * (number % self.cells) + 1

    def reset(self, mask: np.ndarray) -> np.ndarray:
        self.position[mask], self.heading[mask] = self.start_position[mask], self.start_heading[mask]
        return self._observe(mask)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.heading = (self.heading + (actions == RIGHT) - (actions == LEFT)) % 4
        forward = actions == FORWARD
        ahead = self.position + self.heading_offsets[self.heading]
        blocked = forward & (self.walls.reshape(self.num_tasks, -1)[self.rows, ahead] > 0)
        self.position = np.where(forward & ~blocked, ahead, self.position)
        at_ball = self.position == self.target
        return self._observe(), at_ball - 0.04 - 0.001 * blocked, at_ball

    def _observe(self, mask: np.ndarray | slice = slice(None)) -> np.ndarray:
        view = self.walls[mask], self.position[mask], self.heading[mask], self.target[mask]
        self.observations[mask] = self.camera.render(*view) if self.camera else render_around(*view, REACH, TILE)
        return self.observations.copy()

    def shortest_path_lengths(self) -> np.ndarray:
        """int [N]: the fewest actions from start to ball."""
        goals = np.arange(self.side**2) == self.target[:, None]
        steps = action_distances(goals.reshape(self.walls.shape), self.walls > 0).reshape(self.num_tasks, 4, -1)
        return steps[self.rows, self.start_heading, self.start_position].astype(int)

    def render(self) -> np.ndarray:
        """The views from inside and from above, side by side."""
        view = self.walls[:1], self.position[:1], self.heading[:1], self.target[:1]
        pixels = 16 if self.side < 12 else 8  # of a tile from above
        inside = MazeCamera(self.side, pixels * self.side, precompute=False).render(*view)
        both = np.concatenate([inside, render_above(*view, pixels)], 3)
        return both[0].transpose(1, 2, 0)
