"""double-dqn: the network chooses, a slow copy tells what the choice is worth"""

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
class DoubleDqn(OnValues, System):
    """A world with a few actions: Q-learning that does not think too well of what it chooses (van Hasselt et al. 2016).

    The action that comes after is chosen by the network itself, and the slow copy tells its worth.
    """

    double: bool = True

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
