"""rainbow: all that was found to help deep Q-learning, together"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex import reward
from caudex.learner import Learner
from caudex.player import Player
from caudex.reward import OnValues
from caudex.run import Run
from caudex.system import System


@dataclass
class Rainbow(OnValues, System):
    """A world with a few actions: deep Q-learning with all its parts together (Hessel et al. 2018).

    Double, duelling, noise on the weights, a distribution over returns, several rewards at once, priorities.
    """

    lr: float = 5e-4
    double: bool = True
    duelling: bool = True
    noisy: bool = True
    atoms: int = 51
    returns: int = 3
    priority: float = 0.5

    scales: ClassVar = {"tiny": {"experience": 1500, "start": 500, "exploring": 0.5}}  # fmt: skip

    def train(self, run: Run) -> Player:
        return reward.by_values(self, run)

    def learner(self, facts: dict) -> Learner:
        return reward.values(self, facts)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_values(self)
