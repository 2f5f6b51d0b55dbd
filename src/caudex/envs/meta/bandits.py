"""Bandits: arms that pay 1 or nothing."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.meta.task_family import Family, spaces
from caudex.envs.random_streams import Streams


class Bandits(Family):
    """Arm i pays 1 with probability `means` [N, i], which is uniform in [0, 1] (Duan et al. 2016, section 3.1).

    An episode is one pull; there is nothing to see. Raises CaudexError where a number is below 1.
    """

    name, limit = "bandits", 1

    def __init__(self, count: int, arms: int):
        if min(count, arms) < 1:
            raise CaudexError(f"{count} bandits with {arms} arms; each number must be at least 1.")
        self.count, self.observation, self.action = (
            count,
            spaces().Box(-np.inf, np.inf, (0,), np.float32),
            spaces().Discrete(arms),
        )
        self.means = np.zeros((count, arms))
        self.chance = Streams(count)
        self.rows, self.nothing = np.arange(count), np.zeros((count, 0), np.float32)

    def sample(self, seeds: np.ndarray, which: np.ndarray) -> None:
        self.means[which] = self.chance.begin(seeds, which, self.means.shape[1]).T

    def begin(self, which: np.ndarray) -> np.ndarray:
        return self.nothing

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pays = self.chance.draw(1)[0] < self.means[self.rows, actions]
        return self.nothing, pays.astype(float), np.ones(self.count, bool)
