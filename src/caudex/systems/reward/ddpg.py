"""ddpg: Q-learning where actions are numbers: a network says which action is best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.core.system import System, check_range
from caudex.models.agent import Agent
from caudex.signals.deterministic_policy import DeterministicPolicy
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnReplay


@dataclass
class DDPG(OnReplay, System):
    """A robot and its reward: deep deterministic policy gradient (Lillicrap et al. 2016), the simplest; sac is steadier.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    env: str = "Pendulum-v1"
    total_steps: int = 20_000
    buffer_size: int = 1_000_000
    every: int = 1
    lr: float = 1e-3
    actor_lr: float = 1e-4
    """learning rate of the policy"""
    width: tuple[int, int] = (256, 256)
    """units of the two layers of policy and critic"""
    noise: float = 0.1
    """deviation of what is added to actions to explore, where their bounds are -1 and 1"""
    decay: float = 0.999
    """of the slow copies, in each step"""
    decaying: float = 1e-2
    """weight decay of the critic"""

    scales: ClassVar = {
        "tiny": {"total_steps": 1500, "learning_starts": 500, "width": (32, 32)},
        "paper": {"env": "HalfCheetah-v5", "total_steps": 2_500_000, "num_envs": 1, "width": (400, 300), "noise": 0.2},
    }

    def train(self, run: Run) -> Agent:
        runner, spec = reward.make_envs(self, run)
        reward.by_numbers("ddpg", spec)
        with run.seeded("weights"):
            learner = self.learner(spec)
        source = reward.replay_source(self, runner, learner, run)
        reward.record_spec(run, spec)
        fit(learner, reward.sources(learner, source, spec, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Agent(learner, spec), run)

    def learner(self, spec: EnvSpec) -> Learner:
        policy = DeterministicPolicy(spec.actions, self.width, self.noise, self.decay, self.decaying, self.actor_lr)
        signals = reward.all_signals(self, {"policy": policy}, spec)
        return Learner(reward.raw(spec), signals, partial(Adam, lr=self.lr), max_grad_norm=None)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_replay(self)
        check_range(self, actor_lr=(1e-8, 10), noise=(0, 10), decay=(0, 1), decaying=(0, 1))
        if min(self.width) < 1:
            raise CaudexError(f"--width {self.width[0]} {self.width[1]}: each layer needs one unit at least.")
