"""dqn: what will each action have earned in the end?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex import reward
from caudex.claim import Claim
from caudex.learner import Learner
from caudex.player import Player
from caudex.reward import OnValues
from caudex.run import Run
from caudex.system import System
from caudex.training import fit


@dataclass
class Dqn(OnValues, System):
    """A world with a few actions: deep Q-learning (Mnih et al. 2015), and each part of Rainbow as a setting.

    `caudex play RUN` plays what it learned. `caudex train rainbow` has all parts.
    """

    lr: float = 5e-4

    scales: ClassVar = {"tiny": {"experience": 1500, "start": 500, "exploring": 0.5}}  # fmt: skip

    def train(self, run: Run) -> Player:
        acting, facts = reward.begun(self, run)
        with run.seeded("weights"):
            learner = self.learner(facts)
        source = reward.remembered(self, acting, learner, run, steps=self.returns, priority=self.priority)
        reward.keep(run, facts)
        fit(learner, reward.sources(self, learner, source, facts, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Player(learner, facts), run)

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"experience": self.experience}

    def learner(self, facts: dict) -> Learner:
        return reward.values(self, facts)

    def model(self, facts: dict) -> Player:
        return Player(self.learner(facts), facts)

    def tell(self, results: dict) -> list[tuple]:
        return reward.told(results)

    def claim(self, run: Run) -> Claim:
        return reward.claimed(self, run)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_values(self)
