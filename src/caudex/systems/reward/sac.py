"""sac: maximise reward and the entropy of the policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.experience import EnvRunner, ReplaySource
from caudex.signals.soft_actor_critic import SoftActorCritic
from caudex.systems.reward.observation_trunk import observation_trunk
from caudex.systems.reward.off_policy import OffPolicySystem
from caudex.systems.reward.shared import check_continuous


@dataclass
class SAC(OffPolicySystem):
    """A robot and its reward: the soft actor-critic (Haarnoja et al. 2018), which learns from few steps of the environment.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    env: str = "Pendulum-v1"
    total_steps: int = 10_000
    buffer_size: int = 1_000_000
    batch: int = 256
    train_freq: int = 1
    lr: float = 1e-3
    hidden: tuple[int, ...] = ()
    """units of each hidden layer of policy and critics, behind the trunk's convolutions for images; none given: 256 256"""
    temperature: float = 1.0
    """weight of the entropy at first; it is learned"""
    target_decay: float = 0.995
    """of the target networks, at each step"""
    n_step: int = 1
    """rewards that are summed before the target network is asked"""

    scales: ClassVar = {
        "tiny": {"total_steps": 1500, "learning_starts": 500, "hidden": (32, 32), "batch": 64},
        "paper": {
            "env": "HalfCheetah-v5",
            "total_steps": 3_000_000,
            "num_envs": 1,
            "learning_starts": 10_000,
            "lr": 3e-4,
        },
    }

    def learner(self, spec: EnvSpec) -> Learner:
        policy = SoftActorCritic(spec.actions, self.hidden_layers(spec), self.temperature, self.target_decay)
        trunk, signals = observation_trunk(spec, normalise=False), self.with_extra_signals({"policy": policy}, spec)
        return Learner(trunk, signals, partial(Adam, lr=self.lr), max_grad_norm=None)

    def hidden_layers(self, spec: EnvSpec) -> tuple[int, ...]:
        return self.hidden or (256, 256)

    def source(self, runner: EnvRunner, learner: Learner, run: Run) -> ReplaySource:
        return super().source(runner, learner, run, n_step=self.n_step)

    def check_env(self, spec: EnvSpec) -> None:
        check_continuous(spec, "sac")
        super().check_env(spec)

    def check(self) -> None:
        super().check()
        check_range(self, temperature=(1e-6, 1e6), target_decay=(0, 1), n_step=(1, 1000))
