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
from caudex.core.system import System, inside
from caudex.models.agent import Player
from caudex.signals.deterministic_policy import DeterministicPolicy
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnReplay


@dataclass
class Ddpg(OnReplay, System):
    """A robot and its reward: deep deterministic policy gradient (Lillicrap et al. 2016), the simplest; sac is steadier.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    world: str = "Pendulum-v1"
    experience: int = 20_000
    capacity: int = 1_000_000
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
        "tiny": {"experience": 1500, "start": 500, "width": (32, 32)},
        "paper": {"world": "HalfCheetah-v5", "experience": 2_500_000, "worlds": 1, "width": (400, 300), "noise": 0.2},
    }

    def train(self, run: Run) -> Player:
        acting, facts = reward.begun(self, run)
        reward.by_numbers("ddpg", facts)
        with run.seeded("weights"):
            learner = self.learner(facts)
        source = reward.remembered(self, acting, learner, run)
        reward.keep(run, facts)
        fit(learner, reward.sources(learner, source, facts, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Player(learner, facts), run)

    def learner(self, facts: dict) -> Learner:
        policy = DeterministicPolicy(facts["actions"], self.width, self.noise, self.decay, self.decaying, self.actor_lr)
        signals = reward.further(self, {"policy": policy}, facts)
        return Learner(reward.raw(facts), signals, partial(Adam, lr=self.lr), clip=None)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_replay(self)
        inside(self, actor_lr=(1e-8, 10), noise=(0, 10), decay=(0, 1), decaying=(0, 1))
        if min(self.width) < 1:
            raise CaudexError(f"--width {self.width[0]} {self.width[1]}: each layer needs one unit at least.")
