"""dqn: what will each action have earned in the end?"""

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
class DQN(OnValues, System):
    """An environment with a few actions: deep Q-learning (Mnih et al. 2015), and each part of Rainbow as a setting.

    `caudex play RUN` plays what it learned. `caudex train rainbow` has all parts.
    """

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
