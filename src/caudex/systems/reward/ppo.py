"""ppo: act, then take more often what turned out better than was thought, in small steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex import reward
from caudex.adam import Adam
from caudex.experience import Rollouts
from caudex.learner import Learner
from caudex.player import Player
from caudex.reward import OnWorld
from caudex.run import Run
from caudex.signals.policy_gradient import ClippedPolicy
from caudex.system import System, inside
from caudex.training import fit


@dataclass
class Ppo(OnWorld, System):
    """A world and its reward alone: proximal policy optimisation (Schulman et al. 2017), for games and for robots.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    horizon: int = 256
    """steps in each environment between two updates"""
    batch: int = 256
    """steps of the world that one optimiser step learns from"""
    epochs: int = 10
    """passes over each rollout"""
    lam: float = 0.95
    """lambda of generalised advantage estimation"""
    clip: float = 0.2
    """how far an action's probability may change, as a share"""
    entropy: float = 0.0
    """bonus on the entropy of the policy"""

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
        source = Rollouts(
            acting,
            learner,
            "policy",
            self.horizon,
            self.batch,
            self.epochs,
            self.gamma,
            self.lam,
            scaled=not acting.clipped,
            seed=run.seed,
        )
        reward.keep(run, facts)
        fit(learner, reward.sources(learner, source, facts, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Player(learner, facts), run)

    def learner(self, facts: dict) -> Learner:
        policy = ClippedPolicy(facts["actions"], reward.hidden(facts), self.entropy, clip=self.clip)
        optimizer = partial(Adam, lr=self.lr, eps=1e-5)
        signals = reward.further(self, {"policy": policy}, facts)
        return Learner(reward.trunk(facts), signals, optimizer, lambda progress: 1 - progress, clip=0.5)

    def check(self) -> None:
        super().check()
        reward.check(self)
        inside(
            self,
            horizon=(1, 1 << 20),
            batch=(2, 1 << 20),
            epochs=(1, 1000),
            lam=(0, 1),
            clip=(1e-3, 10),
            entropy=(0, 10),
        )
