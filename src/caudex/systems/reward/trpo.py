"""trpo: the best step of the policy that changes it by so much and no more."""

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
from caudex.experience import Rollouts
from caudex.models.agent import Agent
from caudex.signals.trust_region import TrustRegion, trpo_step
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnEnv


@dataclass
class TRPO(OnEnv, System):
    """An environment and its reward alone: trust region policy optimisation (Schulman et al. 2015).

    Its step is along the natural gradient, as far as the trust region goes; then the value learns of the same rollout.
    """

    lr: float = 1e-3
    """learning rate of the value"""
    horizon: int = 256
    """steps in each environment between two steps of the policy"""
    gae_lambda: float = 0.95
    """lambda of generalised advantage estimation"""
    size: float = 0.01
    """of the trust region: nats by which a step may change the policy"""

    accepts: ClassVar = ()  # its step is for the policy alone
    scales: ClassVar = {
        "tiny": {"total_steps": 2048, "horizon": 64},
        "paper": {"env": "Swimmer-v5", "total_steps": 10_000_000, "num_envs": 50, "horizon": 1000, "gae_lambda": 1.0, "size": 0.01},
    }  # fmt: skip

    def train(self, run: Run) -> Agent:
        runner, spec = reward.make_envs(self, run)
        with run.seeded("weights"):
            learner = self.learner(spec)
        whole = self.horizon * self.num_envs
        source = Rollouts(
            runner, learner, "policy", self.horizon, whole, 1, self.gamma, self.gae_lambda, scaled=not runner.clipped, seed=run.seed,
        )  # fmt: skip
        reward.record_spec(run, spec)
        fit(learner, {"policy": source}, **self.budget(1.0), run=run.stage("training"), step=trpo_step)
        return reward.finish(Agent(learner, spec), run)

    def learner(self, spec: EnvSpec) -> Learner:
        policy = TrustRegion(spec.actions, reward.hidden(spec), self.size)
        return Learner(reward.trunk(spec), {"policy": policy}, partial(Adam, lr=self.lr), max_grad_norm=None)

    def check(self) -> None:
        super().check()
        reward.check(self)
        check_range(self, horizon=(2, 1 << 20), gae_lambda=(0, 1), size=(1e-9, 10))
