"""ppo: act for a while, then take small steps towards the actions that turned out better than expected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.experience import EnvRunner, Rollouts
from caudex.signals.policy_gradient import PPOActorCritic
from caudex.systems.reward.observation_trunk import observation_trunk
from caudex.systems.reward.shared import RewardSystem


@dataclass
class PPO(RewardSystem):
    """An environment and its reward alone: proximal policy optimisation (Schulman et al. 2017), for games and for robots.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    horizon: int = 256
    """steps of a rollout in each environment"""
    batch: int = 256
    """steps of the environment in one optimiser step"""
    epochs: int = 10
    """passes over each rollout"""
    gae_lambda: float = 0.95
    """lambda of generalised advantage estimation"""
    clip_range: float = 0.2
    """share by which the probability of an action may change before its gradient is clipped"""
    entropy_coef: float = 0.0
    """bonus on the entropy of the policy"""

    scales: ClassVar = {
        "tiny": {"total_steps": 1024, "horizon": 64, "batch": 64},
        "paper": {
            "env": "ALE/Breakout-v4", "total_steps": 10_000_000, "num_envs": 8, "horizon": 128, "batch": 256, "epochs": 3,
            "lr": 2.5e-4, "clip_range": 0.1, "entropy_coef": 0.01,
        },
        "mujoco": {
            "env": "HalfCheetah-v5", "total_steps": 1_000_000, "num_envs": 1, "horizon": 2048, "batch": 64, "epochs": 10, "lr": 3e-4,
        },
    }  # fmt: skip

    def learner(self, spec: EnvSpec) -> Learner:
        """Policy and value on one trunk, taught by the clipped loss (`PPOActorCritic.loss`); the learning rate decays to 0."""
        policy = PPOActorCritic(spec.actions, self.hidden_layers(spec), self.entropy_coef, clip_range=self.clip_range)
        optimizer = partial(Adam, lr=self.lr, eps=1e-5)
        signals = self.with_extra_signals({"policy": policy}, spec)
        return Learner(observation_trunk(spec), signals, optimizer, lambda progress: 1 - progress, max_grad_norm=0.5)

    def source(self, runner: EnvRunner, learner: Learner, run: Run) -> Rollouts:
        """Repeatedly: act for `horizon` steps in every environment, estimate advantages (GAE), give `epochs` passes of shuffled
        batches. Rewards that are not clipped are scaled."""
        return Rollouts(
            runner, learner, "policy", self.horizon, self.batch, self.epochs, self.gamma, self.gae_lambda,
            normalize_rewards=not runner.reward_clip, seed=run.seed,
        )  # fmt: skip

    def check(self) -> None:
        super().check()
        check_range(self, horizon=(1, 1 << 20), batch=(2, 1 << 20), epochs=(1, 1000), gae_lambda=(0, 1))
        check_range(self, clip_range=(1e-3, 10), entropy_coef=(0, 10))
        if self.batch > (steps := self.horizon * self.num_envs):
            raise CaudexError(
                f"--batch {self.batch:,} is more than there is to learn from at once: --horizon {self.horizon:,} steps of "
                f"--num-envs {self.num_envs:,} are {steps:,}; give a lower --batch."
            )
