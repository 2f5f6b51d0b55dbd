"""Trials: several episodes of one task, drawn anew for each trial (Duan et al. 2016, section 2.2)."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.env import Env, Outcome
from caudex.envs.meta.task_family import TEST, Family, spaces


@dataclass
class Sizes:
    """Which tasks, how large, and how many episodes of one follow each other; what is None is as the tasks have it."""

    env: str | None = None
    """bandits, tabular-mdps, mazes, or module:function, which makes a Gymnasium environment of a seed"""
    arms: int | None = None
    """of bandits: 5"""
    pulls: int | None = None
    """of bandits, in a trial: 100"""
    states: int | None = None
    """of tabular-mdps: 10"""
    actions: int | None = None
    """of tabular-mdps: 5"""
    horizon: int | None = None
    """of tabular-mdps, steps of an episode: 10"""
    size: str | None = None
    """of mazes: small, or large"""
    view: str | None = None
    """of mazes: inside, or above"""
    episodes: int | None = None
    """of a trial: 10 of tabular-mdps, else 2; bandits have pulls"""
    limit: int | None = None
    """steps after which an episode of module:function is cut; without it, its own"""

    def given(self) -> dict:
        """Those that are not None, but the environment: settings of `make`."""
        names = (part.name for part in fields(Sizes) if part.name != "env")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Trials(Env):
    """A trial of each task of a family, as one long episode: `episodes` of the same task, begun one behind the other.

    Beside what the task shows one sees what came before: the last action (one-hot where it is one of a few), its reward,
    and whether it ended an episode; at the trial's beginning these are 0. `seen` takes the two apart. Only the trial's
    end is an end, and a true one, since nothing behind it counts; `ended` [N] tells where the last step ended an
    episode, `episodes` [N] how many have. With `test`, tasks are such that no trial without it can have.
    """

    def __init__(self, family: Family, episodes: int, test: bool = False):
        if min(episodes, family.count) < 1:
            raise CaudexError(
                f"{episodes} episodes of {family.count} tasks of {family.name}; each number must be at least 1."
            )
        self.family, self.wanted, self.test = family, episodes, test
        self.name, self.count, self.action = family.name, family.count, family.action
        self.choices = 0 if self.action.shape else int(self.action.n)
        numbers = (self.choices or self.action.shape[0]) + 2
        self.size = math.prod(family.observation.shape)
        self.bytes = len(family.observation.shape) == 3  # of an image, and of the numbers behind it
        shape = (self.size + (4 if self.bytes else 1) * numbers,)
        self.observation = (
            spaces().Box(0, 255, shape, np.uint8) if self.bytes else spaces().Box(-np.inf, np.inf, shape, np.float32)
        )
        self.before = np.zeros((self.count, numbers), np.float32)
        self.lengths, self.episodes = np.zeros((2, self.count), np.int64)
        self.ended = np.zeros(self.count, bool)

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        which = np.asarray(which, bool)
        self.family.sample(np.asarray(seeds, np.int64) % TEST + TEST * self.test, which)
        self.before[which] = 0
        self.lengths[which], self.episodes[which], self.ended[which] = 0, 0, False
        return self._joined(self.family.begin(which))

    def step(self, actions: np.ndarray) -> Outcome:
        actions = self._checked(np.asarray(actions))
        shown, rewards, over = self.family.step(actions)
        self.lengths += 1
        self.ended = over | (self.lengths >= self.family.limit)
        self.lengths[self.ended] = 0
        self.episodes += self.ended
        finished = self.episodes >= self.wanted
        if (again := self.ended & ~finished).any():
            shown = self.family.begin(again)
        if self.choices:
            self.before[:, :-2] = 0
            self.before[np.arange(self.count), actions] = 1
        else:
            self.before[:, :-2] = actions
        self.before[:, -2], self.before[:, -1] = rewards, self.ended
        return Outcome(self._joined(shown), rewards, finished, np.zeros(self.count, bool))

    def image(self) -> np.ndarray:
        return self.family.image()

    def close(self) -> None:
        self.family.close()

    def _joined(self, shown: np.ndarray) -> np.ndarray:
        found = np.empty((self.count, *self.observation.shape), self.observation.dtype)
        found[:, : self.size] = shown.reshape(self.count, self.size)
        found[:, self.size :] = self.before.view(np.uint8) if self.bytes else self.before
        return found

    def _checked(self, actions: np.ndarray) -> np.ndarray:
        if self.choices:
            fits = actions.dtype.kind in "iu" and ((actions >= 0) & (actions < self.choices)).all()
            takes = f"[{self.count}] whole numbers from 0 to {self.choices - 1}"
        else:
            fits, takes = np.isfinite(actions).all(), f"finite [{self.count}, {self.action.shape[0]}]"
        if not fits or actions.shape != (self.count, *self.action.shape):
            raise CaudexError(f"{self.name} takes actions {takes}; these are {list(actions.shape)} {actions.dtype}.")
        return actions


class Seen(NamedTuple):
    """What an observation of `Trials` holds."""

    shown: Any  # [..., *shape], by the task: float32, or a uint8 image
    before: Any  # float32 [..., A + 2]: the last action, its reward, whether it ended an episode


def seen(observations: Any, shape: tuple[int, ...]) -> Seen:
    """Observations of `Trials`, arrays or tensors [..., D], taken apart; `shape` is that of what the task shows.

    An image and the numbers travel as bytes in one array, which environments, sources and checkpoints know how to keep.
    """
    size = math.prod(shape)
    shown, before = observations[..., :size], observations[..., size:]
    if len(shape) == 3:
        if isinstance(before, np.ndarray):
            before = before.copy().view(np.float32)
        else:
            import torch

            before = before.clone(memory_format=torch.contiguous_format).view(torch.float32)
    return Seen(shown.reshape(*observations.shape[:-1], *shape), before)


def drawn(seed: int, count: int) -> np.ndarray:
    """int64 [count]: seeds of tasks."""
    return np.random.default_rng(seed).integers(TEST, size=count)


class Played(NamedTuple):
    """One trial of each of N tasks, by episode."""

    returns: np.ndarray  # [N, E]
    lengths: np.ndarray  # [N, E]
    last: np.ndarray  # [N, E], the last reward


def play(trials: Trials, act: Callable[[np.ndarray], np.ndarray], seeds: np.ndarray) -> Played:
    """A trial from each of int64 [N] seeds, where `act` turns observations [N, D] into actions."""
    found = Played(*np.zeros((3, trials.count, trials.wanted)))
    live = np.ones(trials.count, bool)
    observations = trials.reset(seeds, live)
    while True:
        at = np.flatnonzero(live), trials.episodes[live]
        made = trials.step(act(observations))
        observations, rewards, finished = made.observations, made.rewards, made.terminated
        found.returns[at] += rewards[live]
        found.lengths[at] += 1
        found.last[at] = rewards[live]
        live &= ~finished
        if not live.any():
            return found
        if finished.any():  # others go on: what they do from now on is not counted
            observations = trials.reset(seeds, finished)


def make(name: str, count: int, test: bool = False, **settings) -> Trials:
    """Trials of `count` tasks: bandits (arms, pulls), tabular-mdps (states, actions, horizon, episodes), mazes (size, view,
    episodes), or module:function, which makes a Gymnasium environment of a seed (episodes, limit).

    Raises CaudexError for an unknown name or setting, or a setting out of range.
    """
    makers = {"bandits": bandits, "tabular-mdps": tabular_mdps, "mazes": mazes}
    if ":" not in name and name not in makers:
        raise CaudexError(
            f"{name!r} is no kind of tasks.{did_you_mean(name, makers)} Known: {', '.join(makers)}, and module:function."
        )
    maker = makers.get(name) or (lambda count, test, episodes=2, limit=0: made(name, count, test, episodes, limit))
    known = list(inspect.signature(maker).parameters)[2:]
    for setting in settings:
        if setting not in known:
            raise CaudexError(
                f"{name} has no setting {setting!r}.{did_you_mean(setting, known)} Known: {', '.join(known)}."
            )
    return maker(count, test, **settings)


def bandits(count: int, test: bool, arms: int = 5, pulls: int = 100) -> Trials:
    from caudex.envs.meta.bandits import Bandits

    return Trials(Bandits(count, arms), pulls, test)


def tabular_mdps(
    count: int, test: bool, states: int = 10, actions: int = 5, horizon: int = 10, episodes: int = 10
) -> Trials:
    from caudex.envs.meta.mdps import TabularMDPs

    return Trials(TabularMDPs(count, states, actions, horizon), episodes, test)


def mazes(count: int, test: bool, size: str = "small", view: str = "inside", episodes: int = 2) -> Trials:
    from caudex.envs.meta.mazes import Mazes

    return Trials(Mazes(count, size, view), episodes, test)


def made(name: str, count: int, test: bool, episodes: int, limit: int) -> Trials:
    from caudex.envs.meta.env_factories import Factories

    return Trials(Factories(name, count, limit), episodes, test)
