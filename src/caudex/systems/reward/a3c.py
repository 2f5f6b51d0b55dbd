"""a3c: act for some steps, take more often what turned out better than was thought; many do so at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.core.compute import add_external_flops
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.optim.rmsprop import RMSprop
from caudex.core.run import Run
from caudex.core.signal import SignalOutput
from caudex.core.specs import EnvSpec
from caudex.core.system import System, check_range
from caudex.experience import Actors, Rollouts, Viewed
from caudex.experience.actors import learned
from caudex.models.agent import Agent
from caudex.signals.policy_gradient import ActorCritic
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnEnv

LAYERS = ((16, 8, 4), (32, 4, 2))
"""(channels, kernel, stride) for frames of 36 pixels or more, and 256 units behind them (Mnih et al. 2013, section 4.1)"""


@dataclass
class A3C(OnEnv, System):
    """An environment and its reward alone: asynchronous advantage actor-critic (Mnih et al. 2016), by several processes at once.

    `--no-asynchronous` is its synchronous form, A2C, in one process. `caudex play RUN` plays what it learned.
    """

    num_envs: int = 8
    """environments side by side, of each actor"""
    lr: float = 7e-4
    """learning rate at the beginning; it falls to nothing"""
    asynchronous: bool = True
    """several actors, each with its own environments, tell their gradients as they come; else one acts, then learns"""
    actors: int = 4
    """processes that act and learn at once, where they do so asynchronously"""
    horizon: int = 5
    """steps in each environment from one gradient to the next"""
    entropy: float = 0.01
    """bonus on the entropy of the policy"""
    norm: float = 0.5
    """of a gradient, at most"""
    epsilon: float = 1e-5
    """what RMSprop adds to the mean square of the gradients before it takes the root"""

    scales: ClassVar = {
        "tiny": {"total_steps": 2000, "num_envs": 4, "actors": 2},
        # published: norm 40 and epsilon 0.1 for the sum over five steps, of which ours is the mean
        "paper": {
            "env": "ALE/Breakout-v4", "total_steps": 80_000_000, "num_envs": 1, "actors": 16, "norm": 8.0, "epsilon": 0.004,
        },
    }  # fmt: skip

    def train(self, run: Run) -> Agent:
        if self.asynchronous and run.hardware.devices * run.hardware.nodes > 1:
            raise CaudexError("the gradients of all actors go to one process; take --devices 1, or --no-asynchronous.")
        with run.seeded("weights"):
            learner, source, spec = self.parts(run)
        reward.record_spec(run, spec)
        training = {**self.budget(1.0), "run": run.stage("training")}
        if self.asynchronous:
            source.runner.env.close()
            print_once(
                run, f"{self.actors} actors at once: if it is resumed, the result is of the same kind, not bit for bit"
            )
            with Actors(learner, partial(actor, self), self.actors, run.seed) as actors:
                fit(learner, dict.fromkeys(learner.signals, actors), **training, step=step)
        else:
            fit(learner, dict.fromkeys(learner.signals, source), **training)
        return reward.finish(Agent(learner, spec), run)

    def parts(self, run: Run) -> tuple[Learner, Rollouts | Viewed, dict]:
        """A learner, the source that acts by it, and the spec of the model: for one process, or for each actor."""
        runner, spec = reward.make_envs(self, run)
        learner = self.learner(spec)
        source = Rollouts(
            runner, learner, "policy", self.horizon, self.horizon * self.num_envs, 1, self.gamma, 1.0,
            scaled=not runner.clipped, observing=not self.asynchronous, seed=run.seed,
        )  # fmt: skip
        return learner, reward.sources(learner, source, spec, run)["policy"], spec

    def learner(self, spec: EnvSpec) -> Learner:
        policy = ActorCritic(spec.actions, reward.hidden(spec), self.entropy)
        signals = reward.all_signals(self, {"policy": policy}, spec)
        optimizer = partial(RMSprop, lr=self.lr, alpha=0.99, eps=self.epsilon)
        trunk = reward.trunk(spec, 256, LAYERS)
        return Learner(trunk, signals, optimizer, lambda progress: 1 - progress, max_grad_norm=self.norm)

    def check(self) -> None:
        super().check()
        reward.check(self)
        check_range(
            self, actors=(1, 1000), horizon=(1, 1 << 20), entropy=(0, 10), norm=(1e-9, 1e9), epsilon=(1e-12, 1e9)
        )


def actor(system: A3C, seed: int) -> tuple[Learner, Rollouts | Viewed]:
    """What an actor has to itself."""
    return system.parts(Run("", seed))[:2]


def step(learner: Learner, batches: Mapping) -> dict[str, SignalOutput]:
    """The gradient of an actor is given to the optimiser: what `fit` takes instead of a step of its own."""
    found = batches["policy"]
    for parameter, gradient in zip(learned(learner), found.parts):
        parameter.grad = gradient
    add_external_flops(found.flops)
    learner.apply_gradients()
    return found.taught
