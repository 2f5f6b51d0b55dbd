"""sac: earn much, and act as much at random as that allows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.core.system import System, check_range
from caudex.models.agent import Agent
from caudex.signals.soft_actor_critic import SoftActorCritic
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnReplay


@dataclass
class SAC(OnReplay, System):
    """A robot and its reward: the soft actor-critic (Haarnoja et al. 2018), which learns from few steps of the environment.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    env: str = "Pendulum-v1"
    total_steps: int = 10_000
    buffer_size: int = 1_000_000
    batch: int = 256
    every: int = 1
    lr: float = 1e-3
    width: int = 256
    """units of each of the two layers of policy and critics"""
    temperature: float = 1.0
    """what entropy is worth at first"""
    decay: float = 0.995
    """of the slow copies, in each step"""
    n_step: int = 1
    """rewards that are added up before the slow copy tells what follows"""

    scales: ClassVar = {
        "tiny": {"total_steps": 1500, "learning_starts": 500, "width": 32, "batch": 64},
        "paper": {
            "env": "HalfCheetah-v5",
            "total_steps": 3_000_000,
            "num_envs": 1,
            "learning_starts": 10_000,
            "lr": 3e-4,
        },
    }

    def train(self, run: Run) -> Agent:
        runner, spec = reward.make_envs(self, run)
        reward.by_numbers("sac", spec)
        with run.seeded("weights"):
            learner = self.learner(spec)
        source = reward.replay_source(self, runner, learner, run, steps=self.n_step)
        reward.record_spec(run, spec)
        fit(learner, reward.sources(learner, source, spec, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Agent(learner, spec), run)

    def learner(self, spec: EnvSpec) -> Learner:
        policy = SoftActorCritic(spec.actions, (self.width, self.width), self.temperature, self.decay)
        signals = reward.all_signals(self, {"policy": policy}, spec)
        return Learner(reward.raw(spec), signals, partial(Adam, lr=self.lr), max_grad_norm=None)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_replay(self)
        check_range(self, width=(1, 1 << 16), temperature=(1e-6, 1e6), decay=(0, 1), n_step=(1, 1000))
