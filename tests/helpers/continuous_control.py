"""Batches, learners and an environment of continuous actions."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.optim import SGD

from caudex.core.learner import Learner
from caudex.core.specs import ActionSpec
from caudex.envs import Env, TimeStep
from caudex.experience import EnvRunner, ReplaySource
from caudex.trunks import MLP, Identity

ACTIONS = ActionSpec(low=(-2.0, 0.0), high=(2.0, 1.0))


class Line(Env):
    """A point that is pushed; the nearer it is to 0, the better. 20 steps; beyond 3 all is over."""

    name, exact = "Line", True

    def __init__(self, num_envs=4, scale=1.0):
        self.num_envs = num_envs
        self.observation_space = SimpleNamespace(shape=(1,), dtype=np.float32)
        bound = np.full(1, scale, np.float32)
        self.action_space = SimpleNamespace(shape=(1,), dtype=np.float32, low=-bound, high=bound)
        self.where, self.time, self.scale = np.zeros(num_envs, np.float32), np.zeros(num_envs, np.int64), scale

    def reset(self, seeds, which):
        for i in np.flatnonzero(which):
            self.where[i], self.time[i] = np.random.default_rng(seeds[i]).uniform(-2, 2), 0
        return self.where[:, None].copy()

    def step(self, actions):
        assert actions.dtype == np.float32
        assert (np.abs(actions) <= self.action_space.high).all()
        self.where += 0.5 * actions[:, 0] / self.scale
        self.time += 1
        lost = np.abs(self.where) > 3
        return TimeStep(self.where[:, None].copy(), -(self.where.astype(float) ** 2), lost, (self.time == 20) & ~lost)


def make_batch(count=6, width=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    numbers = partial(torch.randn, generator=rng)
    units = torch.rand(count, 2, generator=rng)
    return SimpleNamespace(
        observations=numbers(count, width),
        actions=torch.lerp(torch.tensor(ACTIONS.low), torch.tensor(ACTIONS.high), units),
        rewards=numbers(count),
        next_observations=numbers(count, width),
        discounts=torch.full((count,), 0.9),
    )


def make_learner(kind, trunk=None, optimizer=partial(SGD, lr=0.1), actions=ACTIONS, **settings):
    return Learner(
        trunk or MLP(3, (8,)), {"policy": kind(actions, (16, 16), **settings)}, optimizer, max_grad_norm=None
    )


def set_constant(network, *values):
    """A network that says the same of everything."""
    last = [part for part in network.modules() if isinstance(part, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor(values))


# -- targets -------------------------------------------------------------------------------------------------------


def line_replay(kind):
    """A memory of the line with an episode that was lost and one whose time was up; gamma is a half."""
    learner = make_learner(kind, Identity(1), actions=ActionSpec(low=(-1.0,), high=(1.0,)))
    source = ReplaySource(EnvRunner(Line(2), 0), learner, "policy", 1000, 256, learning_starts=1, gamma=0.5)
    moves = np.array([[1.0], [0.0]], np.float32)
    learner.signals["policy"].explore = lambda *_: torch.from_numpy(moves)
    learner.signals["policy"].random_actions = lambda _: torch.from_numpy(moves)
    for _ in range(45):
        next(source)
    del learner.signals["policy"].explore, learner.signals["policy"].random_actions
    batch = source.sample()
    lost = (batch.observations + 0.5 * batch.actions)[:, 0].abs() > 3
    return learner, SimpleNamespace(**batch._asdict(), lost=lost)


# -- what moves what -----------------------------------------------------------------------------------------------


def nonzero_gradients(loss, module):
    weights = list(module.parameters())
    gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    return [None if each is None or not each.any() else each for each in gradients]
