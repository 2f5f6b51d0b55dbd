"""Policies for mazes that learned nothing in other mazes. They see no images but the true state, as their docstrings say."""

from __future__ import annotations

import numpy as np

from caudex.envs.meta.maze_layouts import action_distances
from caudex.envs.meta.mazes import FORWARD, LEFT, RIGHT, Mazes
from caudex.envs.meta.trials import split_observations


class MazePolicy:
    """From observations of trials in `mazes` to actions int64 [N]."""

    def __init__(self, mazes: Mazes, seed: int = 0):
        self.mazes, self.rng = mazes, np.random.default_rng(seed)

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        return self.act(split_observations(observations, self.mazes.observation_space.shape).feedback)

    def act(self, feedback: np.ndarray) -> np.ndarray:
        """Actions from the feedback on the last step, [N, 5]: the action one-hot, its reward, whether it ended an episode."""
        raise NotImplementedError

    def is_free(self, quarter_turns: int) -> np.ndarray:
        """bool [N]: whether the tile ahead is free after so many quarter turns to the right."""
        mazes = self.mazes
        neighbours = mazes.position + mazes.heading_offsets[(mazes.heading + quarter_turns) % 4]
        return mazes.walls.reshape(mazes.num_tasks, -1)[mazes.rows, neighbours] == 0

    def approach(self, distances: np.ndarray) -> np.ndarray:
        """The actions that come closest to the goals at these distances [N, 4, S, S]."""
        mazes = self.mazes
        distances = distances.reshape(mazes.num_tasks, 4, -1)
        ahead = distances[mazes.rows, mazes.heading, mazes.position + mazes.heading_offsets[mazes.heading]]
        left, right = (
            distances[mazes.rows, (mazes.heading + quarter_turns) % 4, mazes.position] for quarter_turns in (-1, 1)
        )
        return np.stack([ahead, left, right], 1).argmin(1)  # in the order of the actions


class WallFollowing(MazePolicy):
    """Along the wall on the left; knows whether the tiles to the left and ahead are free. It circles a block for ever."""

    def act(self, feedback):
        turned_left = (feedback[:, LEFT] > 0) & (feedback[:, -1] == 0)  # it did so because that tile was free
        forward = turned_left | (self.is_free(0) & ~self.is_free(-1))
        return np.where(forward, FORWARD, np.where(self.is_free(-1), LEFT, RIGHT))


class CountBased(MazePolicy):
    """To the nearest tile that it has not visited, and once the ball was found, to the ball by the shortest known path.

    Knows where it stands and which of the four tiles around are free; remembers visits and free tiles for the trial.
    """

    def __init__(self, mazes: Mazes, seed: int = 0):
        super().__init__(mazes, seed)
        self.visits, self.known_free = np.zeros((2, mazes.num_tasks, mazes.side**2), np.int32)
        self.ball_found = np.zeros(mazes.num_tasks, bool)

    def act(self, feedback):
        mazes, new_trial = self.mazes, ~feedback[:, :-2].any(1)
        self.visits[new_trial], self.known_free[new_trial] = 0, 0
        self.ball_found = ~new_trial & (self.ball_found | ((feedback[:, -1] > 0) & (feedback[:, -2] > 0)))
        self.visits[mazes.rows, mazes.position] += 1
        self.known_free[mazes.rows, mazes.position] = 1
        for heading in range(4):
            neighbours = mazes.rows, mazes.position + mazes.heading_offsets[heading]
            self.known_free[neighbours] |= mazes.walls.reshape(mazes.num_tasks, -1)[neighbours] == 0
        ball = np.arange(mazes.side**2) == mazes.target[:, None]
        goals = np.where(self.ball_found[:, None], ball, (self.known_free > 0) & (self.visits == 0))
        return self.approach(
            action_distances(goals.reshape(mazes.walls.shape), self.known_free.reshape(mazes.walls.shape) == 0)
        )


class ShortestPath(MazePolicy):
    """The fewest actions; knows the whole maze and where the ball is."""

    def __init__(self, mazes: Mazes, seed: int = 0):
        super().__init__(mazes, seed)
        self.distances = np.zeros((mazes.num_tasks, 4, mazes.side, mazes.side), np.int16)

    def act(self, feedback):
        mazes, new_trial = self.mazes, ~feedback[:, :-2].any(1)
        if new_trial.any():
            balls = (np.arange(mazes.side**2) == mazes.target[new_trial, None]).reshape(-1, mazes.side, mazes.side)
            self.distances[new_trial] = action_distances(balls, mazes.walls[new_trial] > 0)
        return self.approach(self.distances)
