"""ppo: act, then take more often what turned out better than was thought, in small steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.core.system import System
from caudex.models.agent import Agent
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnRollouts


@dataclass
class PPO(OnRollouts, System):
    """An environment and its reward alone: proximal policy optimisation (Schulman et al. 2017), for games and for robots.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    scales: ClassVar = {
        "tiny": {"total_steps": 1024, "horizon": 64, "batch": 64},
        "paper": {
            "env": "ALE/Breakout-v4", "total_steps": 10_000_000, "num_envs": 8, "horizon": 128, "batch": 256, "epochs": 3,
            "lr": 2.5e-4, "clip": 0.1, "entropy": 0.01,
        },
        "mujoco": {
            "env": "HalfCheetah-v5", "total_steps": 1_000_000, "num_envs": 1, "horizon": 2048, "batch": 64, "epochs": 10, "lr": 3e-4,
        },
    }  # fmt: skip

    def train(self, run: Run) -> Agent:
        runner, spec = reward.make_envs(self, run)
        with run.seeded("weights"):
            learner = self.learner(spec)
        source = reward.rollouts(self, runner, learner, run)
        reward.record_spec(run, spec)
        fit(learner, reward.sources(learner, source, spec, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Agent(learner, spec), run)

    def learner(self, spec: EnvSpec) -> Learner:
        return reward.proximal(self, spec)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_rollouts(self)
