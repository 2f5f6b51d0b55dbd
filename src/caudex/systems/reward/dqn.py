"""dqn: learn the Q-value of each action from a replay buffer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.optim.rmsprop import RMSprop
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.experience import EnvRunner, ReplaySource
from caudex.signals.q_learning import QLearning
from caudex.systems.reward.observation_trunk import observation_trunk, shows_large_frames
from caudex.systems.reward.off_policy import OffPolicySystem
from caudex.trunks.nature import EFFICIENT_LAYERS

OPTIMIZERS = {"adam": partial(Adam, eps=1.5e-4), "rmsprop": partial(RMSprop, alpha=0.95, eps=0.01, centered=True)}
ENCODERS = {"nature": None, "efficient": EFFICIENT_LAYERS}


@dataclass
class DQN(OffPolicySystem):
    """An environment with a few actions: deep Q-learning (Mnih et al. 2015), and each part of Rainbow as a setting.

    `caudex play RUN` plays what it learned. `caudex train rainbow` has all parts.
    """

    total_steps: int = 150_000
    train_freq: int = 8
    lr: float = 1e-3
    double: bool = False
    """the online network selects the next action, the target network evaluates it"""
    dueling: bool = False
    """separate heads for the value of the state and the advantages of actions"""
    noisy: bool = False
    """explore by learned noise on the weights"""
    num_atoms: int = 1
    """from 2: learn a distribution over so many returns instead of the mean"""
    v_max: float = 100.0
    """with --num-atoms: the largest return, and the smallest below zero; 10 was published, where rewards are cut to 1"""
    n_step: int = 10
    """rewards that are summed before the target network is asked"""
    priority_exponent: float = 0.0
    """transitions are sampled by their error to this power; 0 samples uniformly"""
    target_interval: int = 200
    """optimiser steps between two updates of the target network"""
    final_epsilon: float = 0.05
    """probability of a random action at the end of exploration"""
    exploration_fraction: float = 0.3
    """share of training over which that probability falls from 1"""
    noise_std: float = 0.5
    """with --noisy: standard deviation of the noise at first, times the root of the number of inputs"""
    encoder: Literal["nature", "efficient"] = "nature"
    """convolutions for images of 36 pixels or more: three (Mnih et al. 2015), or two coarse ones (van Hasselt et al. 2019)"""
    hidden: tuple[int, ...] = ()
    """units of each hidden layer of the heads, behind the convolutions for images; none given: 128 128, and 512 for images (128 below 36 pixels)"""
    optimizer: Literal["adam", "rmsprop"] = "adam"
    """rmsprop is that of Mnih et al. 2015"""
    max_grad_norm: float = 10.0
    """gradients are clipped to this norm; 0 does not clip"""

    scales: ClassVar = {
        "tiny": {"total_steps": 1500, "learning_starts": 500, "exploration_fraction": 0.5},
        # Mnih et al. 2015, extended data table 1
        "paper": {
            "env": "ALE/Breakout-v4", "total_steps": 50_000_000, "num_envs": 1, "buffer_size": 1_000_000, "batch": 32, "train_freq": 4,
            "learning_starts": 50_000, "n_step": 1, "target_interval": 10_000, "final_epsilon": 0.1, "exploration_fraction": 0.02,
            "optimizer": "rmsprop", "lr": 2.5e-4, "max_grad_norm": 0.0,
        },
    }  # fmt: skip

    def learner(self, spec: EnvSpec) -> Learner:
        """Q-values on one trunk, with the parts of Rainbow that the settings switch on."""
        trunk = observation_trunk(spec, 0, ENCODERS[self.encoder], normalise=False)
        policy = QLearning(
            spec.actions.count, self.hidden_layers(spec), self.double, self.dueling, self.noisy, self.num_atoms, self.v_max,
            self.target_interval, self.final_epsilon, self.exploration_fraction, self.noise_std,
        )  # fmt: skip
        optimizer = partial(OPTIMIZERS[self.optimizer], lr=self.lr)
        signals = self.with_extra_signals({"policy": policy}, spec)
        return Learner(trunk, signals, optimizer, max_grad_norm=self.max_grad_norm or None)

    def hidden_layers(self, spec: EnvSpec) -> tuple[int, ...]:
        if spec.has_images:
            return self.hidden or ((512,) if shows_large_frames(spec) else (128,))
        return self.hidden or (128, 128)

    def source(self, runner: EnvRunner, learner: Learner, run: Run) -> ReplaySource:
        return super().source(runner, learner, run, n_step=self.n_step, priority=self.priority_exponent)

    def check_env(self, spec: EnvSpec) -> None:
        super().check_env(spec)
        if not spec.actions.count:
            how, other = (
                ("by several choices at once", "ppo") if spec.actions.counts else ("with numbers", "ppo or sac")
            )
            raise CaudexError(f"{self.env} is acted in {how}, this method chooses one of some actions; take {other}.")

    def check(self) -> None:
        super().check()
        inf = float("inf")
        check_range(self, num_atoms=(1, 1001), v_max=(1e-6, inf), n_step=(1, 1000), priority_exponent=(0, 10))
        check_range(self, target_interval=(1, inf), final_epsilon=(0, 1), exploration_fraction=(1e-6, 1))
        check_range(self, noise_std=(0, 10), max_grad_norm=(0, inf))
