"""double-dqn: the network chooses, a slow copy tells what the choice is worth"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.core.system import System
from caudex.models.agent import Agent
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnValues


@dataclass
class DoubleDQN(OnValues, System):
    """An environment with a few actions: Q-learning that does not think too well of what it chooses (van Hasselt et al. 2016).

    The action that comes after is chosen by the network itself, and the slow copy tells its worth.
    """

    double: bool = True

    scales: ClassVar = {
        "tiny": {"total_steps": 1500, "learning_starts": 500, "exploration_fraction": 0.5},
        "paper": reward.ATARI,
    }

    def train(self, run: Run) -> Agent:
        return reward.by_values(self, run)

    def learner(self, spec: EnvSpec) -> Learner:
        return reward.values(self, spec)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_values(self)
