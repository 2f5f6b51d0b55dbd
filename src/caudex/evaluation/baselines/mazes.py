"""Ways through mazes that learned nothing in other mazes. They see no images: each is told what its docstring says."""

from __future__ import annotations

import numpy as np

from caudex.envs.meta.maze_layouts import steps_to
from caudex.envs.meta.mazes import FORWARD, LEFT, RIGHT, Mazes
from caudex.envs.meta.trials import seen


class Way:
    """From observations of trials in `mazes` to actions int64 [N]."""

    def __init__(self, mazes: Mazes, seed: int = 0):
        self.mazes, self.chance = mazes, np.random.default_rng(seed)

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        return self.act(seen(observations, self.mazes.observation.shape).before)

    def act(self, before: np.ndarray) -> np.ndarray:
        """Actions from what came before, [N, 5]: the last action one-hot, its reward, whether it ended an episode."""
        raise NotImplementedError

    def free(self, turned: int) -> np.ndarray:
        """bool [N]: whether one could go ahead after so many quarter turns to the right."""
        mazes = self.mazes
        there = mazes.place + mazes.moves[(mazes.turn + turned) % 4]
        return mazes.walls.reshape(mazes.count, -1)[mazes.rows, there] == 0

    def nearer(self, steps: np.ndarray) -> np.ndarray:
        """The actions that come closest to the goals that are `steps` [N, 4, S, S] away."""
        mazes = self.mazes
        steps = steps.reshape(mazes.count, 4, -1)
        ahead = steps[mazes.rows, mazes.turn, mazes.place + mazes.moves[mazes.turn]]
        left, right = (steps[mazes.rows, (mazes.turn + turned) % 4, mazes.place] for turned in (-1, 1))
        return np.stack([ahead, left, right], 1).argmin(1)  # in the order of the actions


class WallFollowing(Way):
    """Along the wall on the left; told whether the ways to the left and ahead are free. Around a block it goes for ever."""

    def act(self, before):
        turned = (before[:, LEFT] > 0) & (before[:, -1] == 0)  # it did so because that way was free
        goes = turned | (self.free(0) & ~self.free(-1))
        return np.where(goes, FORWARD, np.where(self.free(-1), LEFT, RIGHT))


class CountBased(Way):
    """To the nearest tile that it counted no visit of, and once the ball was found, straight there by known ways.

    Told where it stands and which of the four tiles around are free; counts and ways are kept for the trial.
    """

    def __init__(self, mazes: Mazes, seed: int = 0):
        super().__init__(mazes, seed)
        self.visits, self.known = np.zeros((2, mazes.count, mazes.side**2), np.int32)
        self.found = np.zeros(mazes.count, bool)

    def act(self, before):
        mazes, new = self.mazes, ~before[:, :-2].any(1)
        self.visits[new], self.known[new] = 0, 0
        self.found = ~new & (self.found | ((before[:, -1] > 0) & (before[:, -2] > 0)))
        self.visits[mazes.rows, mazes.place] += 1
        self.known[mazes.rows, mazes.place] = 1
        for turn in range(4):
            there = mazes.rows, mazes.place + mazes.moves[turn]
            self.known[there] |= mazes.walls.reshape(mazes.count, -1)[there] == 0
        ball = np.arange(mazes.side**2) == mazes.target[:, None]
        goals = np.where(self.found[:, None], ball, (self.known > 0) & (self.visits == 0))
        return self.nearer(steps_to(goals.reshape(mazes.walls.shape), self.known.reshape(mazes.walls.shape) == 0))


class ShortestPath(Way):
    """The fewest actions; told the whole maze and where the ball is."""

    def __init__(self, mazes: Mazes, seed: int = 0):
        super().__init__(mazes, seed)
        self.steps = np.zeros((mazes.count, 4, mazes.side, mazes.side), np.int16)

    def act(self, before):
        mazes, new = self.mazes, ~before[:, :-2].any(1)
        if new.any():
            balls = (np.arange(mazes.side**2) == mazes.target[new, None]).reshape(-1, mazes.side, mazes.side)
            self.steps[new] = steps_to(balls, mazes.walls[new] > 0)
        return self.nearer(self.steps)
