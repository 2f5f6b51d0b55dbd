"""ppo: act, then take more often what turned out better than was thought, in small steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.system import System
from caudex.models.agent import Player
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnRollouts


@dataclass
class Ppo(OnRollouts, System):
    """A world and its reward alone: proximal policy optimisation (Schulman et al. 2017), for games and for robots.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    scales: ClassVar = {
        "tiny": {"experience": 1024, "horizon": 64, "batch": 64},
        "paper": {
            "world": "ALE/Breakout-v4", "experience": 10_000_000, "worlds": 8, "horizon": 128, "batch": 256, "epochs": 3,
            "lr": 2.5e-4, "clip": 0.1, "entropy": 0.01,
        },
        "mujoco": {
            "world": "HalfCheetah-v5", "experience": 1_000_000, "worlds": 1, "horizon": 2048, "batch": 64, "epochs": 10, "lr": 3e-4,
        },
    }  # fmt: skip

    def train(self, run: Run) -> Player:
        acting, facts = reward.begun(self, run)
        with run.seeded("weights"):
            learner = self.learner(facts)
        source = reward.rollouts(self, acting, learner, run)
        reward.keep(run, facts)
        fit(learner, reward.sources(learner, source, facts, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Player(learner, facts), run)

    def learner(self, facts: dict) -> Learner:
        return reward.proximal(self, facts)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_rollouts(self)
