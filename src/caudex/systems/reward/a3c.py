"""a3c: several processes act for some steps each, and reinforce actions that turned out better than expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex import envs
from caudex.core.compute import add_flops
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.optim.rmsprop import RMSprop
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.signal import SignalOutput
from caudex.core.specs import EnvSpec
from caudex.experience import Actors, AugmentedSource, EnvRunner, Rollouts
from caudex.experience.actors import trainable_parameters
from caudex.models.agent import Agent
from caudex.signals.policy_gradient import ActorCritic
from caudex.systems.reward.observation_trunk import observation_trunk
from caudex.systems.reward.shared import RewardSystem

LAYERS = ((16, 8, 4), (32, 4, 2))
"""(channels, kernel, stride) for frames of 36 pixels or more, and 256 units behind them (Mnih et al. 2013, section 4.1)"""


@dataclass
class A3C(RewardSystem):
    """An environment and its reward alone: asynchronous advantage actor-critic (Mnih et al. 2016), by several processes at once.

    `--no-asynchronous` is its synchronous form, A2C, in one process. `caudex play RUN` plays what it learned.
    """

    num_envs: int = 8
    """environments side by side, of each actor"""
    lr: float = 7e-4
    """learning rate at first; it decays to 0"""
    asynchronous: bool = True
    """several actors, each with its own environments, send gradients as they come; else one process acts, then learns"""
    actors: int = 4
    """processes that act at the same time, with --asynchronous"""
    horizon: int = 5
    """steps in each environment for each gradient"""
    entropy_coef: float = 0.01
    """bonus on the entropy of the policy"""
    max_grad_norm: float = 0.5
    """gradients are clipped to this norm"""
    rmsprop_eps: float = 1e-5
    """added by RMSprop to the mean square of the gradients, under the root"""

    scales: ClassVar = {
        "tiny": {"total_steps": 2000, "num_envs": 4, "actors": 2},
        # published: norm 40 and epsilon 0.1 for the sum over five steps, of which ours is the mean
        "paper": {
            "env": "ALE/Breakout-v4", "total_steps": 80_000_000, "num_envs": 1, "actors": 16, "max_grad_norm": 8.0, "rmsprop_eps": 0.004,
        },
    }  # fmt: skip

    def train(self, run: Run) -> Agent:
        if not self.asynchronous:
            return super().train(run)
        if run.hardware.devices * run.hardware.nodes > 1:
            raise CaudexError("the gradients of all actors go to one process; take --devices 1, or --no-asynchronous.")
        if envs.is_object(self.env):
            raise CaudexError(
                f"{self.env} is an object of this process, which actors do not share; take --no-asynchronous."
            )
        with run.seeded("weights"):
            learner, source, spec = self.build(run)
        source.runner.env.close()
        self.record_spec(run, spec)
        print_once(
            run,
            f"{self.actors} actor{'s at once' * (self.actors > 1)}: if it is resumed, the result is of the same kind, not bit for bit",
        )
        with Actors(learner, partial(build_actor, self), self.actors, run.seed, run.hardware.precision) as actors:
            gradients = dict.fromkeys(learner.signals, actors)
            evaluate = self.evaluations(spec, run, actors)
            fit(
                learner, gradients, **self.budget(1.0), run=run.stage("training"), evaluate=evaluate, step=apply_actor_gradient
            )  # fmt: skip
        return self.evaluate(Agent(learner, spec), run)

    def build(self, run: Run) -> tuple[Learner, Rollouts | AugmentedSource, EnvSpec]:
        """A learner, the source that acts by it, and the spec of the model."""
        runner, spec = self.make_envs(run)
        learner = self.learner(spec)
        return learner, self.add_views(self.source(runner, learner, run), learner, spec, run), spec

    def learner(self, spec: EnvSpec) -> Learner:
        """Policy and value on one trunk; the learning rate decays to 0."""
        policy = ActorCritic(spec.actions, self.hidden_layers(spec), self.entropy_coef)
        signals = self.with_extra_signals({"policy": policy}, spec)
        optimizer = partial(RMSprop, lr=self.lr, alpha=0.99, eps=self.rmsprop_eps)
        trunk = observation_trunk(spec, 256, LAYERS)
        return Learner(trunk, signals, optimizer, lambda progress: 1 - progress, max_grad_norm=self.max_grad_norm)

    def source(self, runner: EnvRunner, learner: Learner, run: Run) -> Rollouts:
        """Repeatedly: act for `horizon` steps in every environment and give them as one batch. Advantages are of n-step returns to the
        end of the rollout (lambda 1). Rewards that are not clipped are scaled."""
        return Rollouts(
            runner, learner, "policy", self.horizon, self.horizon * self.num_envs, 1, self.gamma, 1.0,
            normalize_rewards=not runner.reward_clip, update_statistics=not self.asynchronous, seed=run.seed,
        )  # fmt: skip

    def check(self) -> None:
        super().check()
        check_range(self, actors=(1, 1000), horizon=(1, 1 << 20), entropy_coef=(0, 10))
        check_range(self, max_grad_norm=(1e-9, 1e9), rmsprop_eps=(1e-12, 1e9))


def build_actor(system: A3C, seed: int) -> tuple[Learner, Rollouts | AugmentedSource]:
    """The learner and the source of one actor."""
    return system.build(Run("", seed))[:2]


def apply_actor_gradient(learner: Learner, batches: Mapping) -> dict[str, SignalOutput]:
    """One optimiser step with the gradient of an actor: replaces the step of `fit`."""
    gradient = batches["policy"]
    for parameter, part in zip(trainable_parameters(learner), gradient.gradients):
        parameter.grad = part
    add_flops(gradient.flops)
    learner.apply_gradients()
    return gradient.outputs
