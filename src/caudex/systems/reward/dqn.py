"""dqn: what will each action have earned in the end?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.system import System
from caudex.models.agent import Player
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnValues


@dataclass
class Dqn(OnValues, System):
    """A world with a few actions: deep Q-learning (Mnih et al. 2015), and each part of Rainbow as a setting.

    `caudex play RUN` plays what it learned. `caudex train rainbow` has all parts.
    """

    scales: ClassVar = {
        "tiny": {"experience": 1500, "start": 500, "exploring": 0.5},
        "paper": reward.ATARI,
    }

    def train(self, run: Run) -> Player:
        return reward.by_values(self, run)

    def learner(self, facts: dict) -> Learner:
        return reward.values(self, facts)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_values(self)
