"""trpo: the largest natural-gradient step of the policy within a bound on its KL divergence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.experience import EnvRunner, Rollouts
from caudex.signals.trust_region import TrustRegion, trpo_step
from caudex.systems.reward.observation_trunk import observation_trunk
from caudex.systems.reward.shared import RewardSystem


@dataclass
class TRPO(RewardSystem):
    """An environment and its reward alone: trust region policy optimisation (Schulman et al. 2015).

    The policy takes one natural-gradient step within the trust region; then the value learns from the same rollout.
    """

    lr: float = 1e-3
    """learning rate of the value"""
    horizon: int = 256
    """steps in each environment for each step of the policy"""
    gae_lambda: float = 0.95
    """lambda of generalised advantage estimation"""
    target_kl: float = 0.01
    """nats by which a step may change the policy, the size of the trust region"""

    accepts: ClassVar = ()  # the step is of the policy alone
    scales: ClassVar = {
        "tiny": {"total_steps": 2048, "horizon": 64},
        "paper": {"env": "Swimmer-v5", "total_steps": 10_000_000, "num_envs": 50, "horizon": 1000, "gae_lambda": 1.0, "target_kl": 0.01},
    }  # fmt: skip
    training_step: ClassVar = staticmethod(trpo_step)

    def learner(self, spec: EnvSpec) -> Learner:
        policy = TrustRegion(spec.actions, self.hidden_layers(spec), self.target_kl)
        return Learner(observation_trunk(spec), {"policy": policy}, partial(Adam, lr=self.lr), max_grad_norm=None)

    def source(self, runner: EnvRunner, learner: Learner, run: Run) -> Rollouts:
        """Repeatedly: act for `horizon` steps in every environment, estimate advantages (GAE), give all steps as one batch."""
        return Rollouts(
            runner, learner, "policy", self.horizon, self.horizon * self.num_envs, 1, self.gamma, self.gae_lambda,
            normalize_rewards=not runner.reward_clip, seed=run.seed,
        )  # fmt: skip

    def check(self) -> None:
        super().check()
        check_range(self, horizon=(2, 1 << 20), gae_lambda=(0, 1), target_kl=(1e-9, 10))
