"""Mazes: find the ball, and find it again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.meta.maze_camera import Camera
from caudex.envs.meta.maze_layouts import layouts, moves, steps_to
from caudex.envs.meta.maze_tiles import above, around, textures
from caudex.envs.meta.task_family import TEST, Family, spaces
from caudex.envs.random_streams import chances

FORWARD, LEFT, RIGHT = range(3)


class Size(NamedTuple):
    cells: int
    limit: int


SIZES = {"small": Size(5, 250), "large": Size(9, 1000)}
VIEWS = ("inside", "above")
PIXELS, REACH, TILE = 32, 3, 4
"""of an image from inside; from above: tiles seen in each direction, and pixels of one"""
BRICKS = 0.55
"""share of the walls that are of bricks; the others are landmarks"""


class Mazes(Family):
    """A maze of 5 x 5 or 9 x 9 rooms with a ball, somewhere, to be reached; maze, ball and start stay for the trial.

    Rooms and the passages between them are tiles; an action is a step forward by a tile, or a quarter turn to the left or
    right. Rewards: 1 at the ball, -0.04 a step, -0.001 against a wall; an episode ends at the ball, and is cut after 250
    steps or 1000 (Duan et al. 2016, section 3.3, whose mazes are ViZDoom's, with motion in smaller steps). Seen: what is
    ahead, or with the view "above" what is within three tiles, walls or not. Tasks for tests have layouts that no others
    can have, see `layouts`. Raises CaudexError for an unknown size or view.
    """

    name = "mazes"

    def __init__(self, count: int, size: str = "small", view: str = "inside"):
        for what, given, known in (("size", size, SIZES), ("view", view, VIEWS)):
            if given not in known:
                raise CaudexError(
                    f"mazes have no {what} {given!r}.{did_you_mean(given, known)} Known: {', '.join(known)}."
                )
        self.count, (self.cells, self.limit) = count, SIZES[size]
        self.side = side = 2 * self.cells + 1
        pixels = PIXELS if view == "inside" else (2 * REACH + 1) * TILE
        self.observation, self.action = spaces().Box(0, 255, (3, pixels, pixels), np.uint8), spaces().Discrete(3)
        self.camera = Camera(side, PIXELS) if view == "inside" else None
        self.walls = np.zeros((count, side, side), np.uint8)  # 0 is free, t a wall of texture t - 1
        self.start, self.course, self.target, self.place, self.turn = np.zeros((5, count), np.int64)
        self.rows, self.moves = np.arange(count), moves(side)
        self.held = np.zeros((count, *self.observation.shape), np.uint8)  # what each sees

    def sample(self, seeds: np.ndarray, which: np.ndarray) -> None:
        drawn, side, rooms = seeds[which], self.side, self.cells**2
        numbers = chances(drawn + (1 << 40), side * side + 3).T  # a stream of their own
        kinds = 2 + (numbers[:, 3:] - BRICKS) / (1 - BRICKS) * (len(textures()) - 1)
        kinds = np.where(kinds < 2, 1, kinds).astype(np.uint8).reshape(-1, side, side)
        self.walls[which] = kinds * layouts(drawn, self.cells, drawn >= TEST)
        start = (numbers[:, 0] * rooms).astype(int)
        target = (start + 1 + (numbers[:, 1] * (rooms - 1)).astype(int)) % rooms
        self.start[which], self.target[which] = self.room(start), self.room(target)
        self.course[which] = (numbers[:, 2] * 4).astype(int)

    def room(self, number: np.ndarray) -> np.ndarray:
        """Places in the flat maze of the rooms of these numbers."""
        return (2 * (number // self.cells) + 1) * self.side + 2 * (number % self.cells) + 1

    def begin(self, which: np.ndarray) -> np.ndarray:
        self.place[which], self.turn[which] = self.start[which], self.course[which]
        return self.seen(which)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.turn = (self.turn + (actions == RIGHT) - (actions == LEFT)) % 4
        goes = actions == FORWARD
        ahead = self.place + self.moves[self.turn]
        against = goes & (self.walls.reshape(self.count, -1)[self.rows, ahead] > 0)
        self.place = np.where(goes & ~against, ahead, self.place)
        there = self.place == self.target
        return self.seen(), there - 0.04 - 0.001 * against, there

    def seen(self, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        what = self.walls[which], self.place[which], self.turn[which], self.target[which]
        self.held[which] = self.camera.look(*what) if self.camera else around(*what, REACH, TILE)
        return self.held.copy()

    def shortest(self) -> np.ndarray:
        """int [N]: the fewest actions from start to ball."""
        goals = np.arange(self.side**2) == self.target[:, None]
        steps = steps_to(goals.reshape(self.walls.shape), self.walls > 0).reshape(self.count, 4, -1)
        return steps[self.rows, self.course, self.start].astype(int)

    def image(self) -> np.ndarray:
        """What is seen from inside and from above, side by side."""
        what = self.walls[:1], self.place[:1], self.turn[:1], self.target[:1]
        pixels = 16 if self.side < 12 else 8  # of a tile from above
        inside = Camera(self.side, pixels * self.side, beforehand=False).look(*what)
        both = np.concatenate([inside, above(*what, pixels)], 3)
        return both[0].transpose(1, 2, 0)
