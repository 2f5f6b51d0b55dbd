"""Bandits: arms that pay 1 or nothing."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.meta.task_family import TaskFamily, gymnasium_spaces
from caudex.envs.random_streams import RandomStreams

MAX_ARMS = 1 << 16


class Bandits(TaskFamily):
    """Arm i pays 1 with probability `means` [N, i], which is uniform in [0, 1] (Duan et al. 2016, section 3.1).

    An episode is one pull; observations are empty. Raises CaudexError where a number is below 1.
    """

    name, max_episode_steps = "bandits", 1

    def __init__(self, num_tasks: int, arms: int):
        if min(num_tasks, arms) < 1 or arms > MAX_ARMS:
            raise CaudexError(
                f"{num_tasks} bandits with {arms} arms; each must be at least 1, arms at most {MAX_ARMS:,}."
            )
        spaces = gymnasium_spaces()
        self.num_tasks = num_tasks
        self.observation_space, self.action_space = spaces.Box(-np.inf, np.inf, (0,), np.float32), spaces.Discrete(arms)
        self.means = np.zeros((num_tasks, arms))
        self.streams = RandomStreams(num_tasks)
        self.rows, self.observations = np.arange(num_tasks), np.zeros((num_tasks, 0), np.float32)

    def sample_tasks(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        self.means[mask] = self.streams.seed(seeds, mask, self.means.shape[1]).T

    def reset(self, mask: np.ndarray) -> np.ndarray:
        return self.observations

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        paid = self.streams.uniform(1)[0] < self.means[self.rows, actions]
        return self.observations, paid.astype(float), np.ones(self.num_tasks, bool)
