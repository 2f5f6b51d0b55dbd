"""Trials: several episodes of one task, drawn anew for each trial (Duan et al. 2016, section 2.2)."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean, plugin_paths
from caudex.envs.env import Env, Policy, TimeStep
from caudex.envs.meta.task_family import FIRST_TEST_SEED, TaskFamily, gymnasium_spaces


@dataclass
class TaskSettings:
    """Which tasks, how large, and how many episodes a trial has; None: the default of these tasks."""

    env: str | None = None
    """bandits, tabular-mdps, mazes, or module:function or an entry point, which makes a Gymnasium environment of a seed"""
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

    def task_settings(self) -> dict:
        """The settings of `make_trials` that are not None."""
        names = (field.name for field in fields(TaskSettings) if field.name != "env")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Trials(Env):
    """A trial of each task of a family, as one long episode: `num_episodes` episodes of the same task, one after the other.

    An observation holds what the task shows and the feedback on the last step: the action (one-hot where actions are
    discrete), its reward, and whether it ended an episode; at the beginning of a trial these are 0. `split_observations`
    takes the two apart. Only the end of a trial terminates, since nothing after it counts. `episode_done` [N]: the last step
    ended an episode; `episodes_done` [N]: how many have ended. With `test`, tasks are such that no trial without it has.
    """

    def __init__(self, family: TaskFamily, num_episodes: int, test: bool = False):
        if min(num_episodes, family.num_tasks) < 1:
            raise CaudexError(
                f"{num_episodes} episodes of {family.num_tasks} tasks of {family.name}; each number must be at least 1."
            )
        self.family, self.num_episodes, self.test = family, num_episodes, test
        self.name, self.num_envs, self.action_space = family.name, family.num_tasks, family.action_space
        self.num_actions = 0 if self.action_space.shape else int(self.action_space.n)  # 0: continuous
        feedback_size = (self.num_actions or self.action_space.shape[0]) + 2
        self.task_size = math.prod(family.observation_space.shape)
        self.as_bytes = len(family.observation_space.shape) == 3  # an image, and the feedback as bytes behind it
        shape = (self.task_size + (4 if self.as_bytes else 1) * feedback_size,)
        spaces = gymnasium_spaces()
        self.observation_space = (
            spaces.Box(0, 255, shape, np.uint8) if self.as_bytes else spaces.Box(-np.inf, np.inf, shape, np.float32)
        )
        self.feedback = np.zeros((self.num_envs, feedback_size), np.float32)
        self.episode_lengths, self.episodes_done = np.zeros((2, self.num_envs), np.int64)
        self.episode_done = np.zeros(self.num_envs, bool)

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        mask = np.asarray(mask, bool)
        self.family.sample_tasks(np.asarray(seeds, np.int64) % FIRST_TEST_SEED + FIRST_TEST_SEED * self.test, mask)
        self.feedback[mask] = 0
        self.episode_lengths[mask], self.episodes_done[mask], self.episode_done[mask] = 0, 0, False
        return self._with_feedback(self.family.reset(mask))

    def step(self, actions: np.ndarray) -> TimeStep:
        actions = self._checked_actions(np.asarray(actions))
        task_observations, rewards, ended = self.family.step(actions)
        self.episode_lengths += 1
        self.episode_done = ended | (self.episode_lengths >= self.family.max_episode_steps)
        self.episode_lengths[self.episode_done] = 0
        self.episodes_done += self.episode_done
        trial_done = self.episodes_done >= self.num_episodes
        if (next_episode := self.episode_done & ~trial_done).any():
            task_observations = self.family.reset(next_episode)
        if self.num_actions:
            self.feedback[:, :-2] = 0
            self.feedback[np.arange(self.num_envs), actions] = 1
        else:
            self.feedback[:, :-2] = actions
        self.feedback[:, -2], self.feedback[:, -1] = rewards, self.episode_done
        return TimeStep(self._with_feedback(task_observations), rewards, trial_done, np.zeros(self.num_envs, bool))

    def render(self) -> np.ndarray:
        return self.family.render()

    def close(self) -> None:
        self.family.close()

    def _with_feedback(self, task_observations: np.ndarray) -> np.ndarray:
        observations = np.empty((self.num_envs, *self.observation_space.shape), self.observation_space.dtype)
        observations[:, : self.task_size] = task_observations.reshape(self.num_envs, self.task_size)
        observations[:, self.task_size :] = self.feedback.view(np.uint8) if self.as_bytes else self.feedback
        return observations

    def _checked_actions(self, actions: np.ndarray) -> np.ndarray:
        if self.num_actions:
            valid = actions.dtype.kind in "iu" and ((actions >= 0) & (actions < self.num_actions)).all()
            expected = f"[{self.num_envs}] whole numbers from 0 to {self.num_actions - 1}"
        else:
            valid, expected = np.isfinite(actions).all(), f"finite [{self.num_envs}, {self.action_space.shape[0]}]"
        if not valid or actions.shape != (self.num_envs, *self.action_space.shape):
            raise CaudexError(f"{self.name} takes actions {expected}; these are {list(actions.shape)} {actions.dtype}.")
        return actions


class TrialObservation(NamedTuple):
    """What an observation of `Trials` holds."""

    task_observation: Any  # [..., *shape]: float32, or a uint8 image
    feedback: Any  # float32 [..., A + 2]: the last action, its reward, whether it ended an episode


def split_observations(observations: Any, shape: tuple[int, ...]) -> TrialObservation:
    """Split observations of `Trials`, arrays or tensors [..., D]; `shape` is that of the task's own observations.

    An image and the feedback travel as bytes in one array, which environments, sources and checkpoints can store.
    """
    size = math.prod(shape)
    task_observation, feedback = observations[..., :size], observations[..., size:]
    if len(shape) == 3:
        if isinstance(feedback, np.ndarray):
            feedback = feedback.copy().view(np.float32)
        else:
            import torch

            feedback = feedback.clone(memory_format=torch.contiguous_format).view(torch.float32)
    return TrialObservation(task_observation.reshape(*observations.shape[:-1], *shape), feedback)


def sample_task_seeds(seed: int, count: int) -> np.ndarray:
    """int64 [count]: seeds of tasks."""
    return np.random.default_rng(seed).integers(FIRST_TEST_SEED, size=count)


class TrialStatistics(NamedTuple):
    """One trial of each of N tasks, by episode."""

    returns: np.ndarray  # [N, E]
    lengths: np.ndarray  # [N, E]
    last_rewards: np.ndarray  # [N, E]


def play_trials(trials: Trials, policy: Policy, seeds: np.ndarray) -> TrialStatistics:
    """Play a trial from each of int64 [N] seeds; `policy` turns observations [N, D] into actions."""
    statistics = TrialStatistics(*np.zeros((3, trials.num_envs, trials.num_episodes)))
    live = np.ones(trials.num_envs, bool)
    observations = trials.reset(seeds, live)
    while True:
        current = np.flatnonzero(live), trials.episodes_done[live]
        observations, rewards, trial_done, *_ = trials.step(policy(observations))
        statistics.returns[current] += rewards[live]
        statistics.lengths[current] += 1
        statistics.last_rewards[current] = rewards[live]
        live &= ~trial_done
        if not live.any():
            return statistics
        if trial_done.any():  # others go on: what these do from now on is not counted
            observations = trials.reset(seeds, trial_done)


def make_trials(name: str, num_tasks: int, test: bool = False, **settings) -> Trials:
    """Trials of `num_tasks` tasks: bandits (arms, pulls), tabular-mdps (states, actions, horizon, episodes), mazes (size,
    view, episodes), or module:function or an entry point, which makes a Gymnasium environment of a seed (episodes, limit).

    Raises CaudexError for an unknown name or setting, or a setting of another type or out of range.
    """
    factories = {"bandits": bandit_trials, "tabular-mdps": mdp_trials, "mazes": maze_trials}
    plugins = plugin_paths("envs")
    if ":" not in name and name not in factories | plugins:
        raise CaudexError(
            f"{name!r} is no kind of tasks.{did_you_mean(name, factories | plugins)} Known: {', '.join(factories | plugins)}, and "
            "module:function."
        )
    factory = factories.get(name) or (
        lambda num_tasks, test, episodes=2, limit=0: function_trials(name, num_tasks, test, episodes, limit)
    )
    defaults = {name: parameter.default for name, parameter in inspect.signature(factory).parameters.items()}
    allowed = list(defaults)[2:]
    for setting, value in settings.items():
        if setting not in allowed:
            raise CaudexError(
                f"{name} has no setting {setting!r}.{did_you_mean(setting, allowed)} Known: {', '.join(allowed)}."
            )
        if not isinstance(value, Integral if isinstance(defaults[setting], int) else str):
            expected = "whole number" if isinstance(defaults[setting], int) else "word"
            raise CaudexError(f"{name} with {setting} {value!r}: it must be a {expected}.")
    return factory(num_tasks, test, **settings)


def bandit_trials(num_tasks: int, test: bool, arms: int = 5, pulls: int = 100) -> Trials:
    from caudex.envs.meta.bandits import Bandits

    return Trials(Bandits(num_tasks, arms), pulls, test)


def mdp_trials(
    num_tasks: int, test: bool, states: int = 10, actions: int = 5, horizon: int = 10, episodes: int = 10
) -> Trials:
    from caudex.envs.meta.mdps import TabularMDPs

    return Trials(TabularMDPs(num_tasks, states, actions, horizon), episodes, test)


def maze_trials(num_tasks: int, test: bool, size: str = "small", view: str = "inside", episodes: int = 2) -> Trials:
    from caudex.envs.meta.mazes import Mazes

    return Trials(Mazes(num_tasks, size, view), episodes, test)


def function_trials(name: str, num_tasks: int, test: bool, episodes: int, limit: int) -> Trials:
    from caudex.envs.meta.env_factories import FactoryTasks

    return Trials(FactoryTasks(name, num_tasks, limit), episodes, test)
