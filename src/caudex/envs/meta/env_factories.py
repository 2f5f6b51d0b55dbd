"""Tasks that a function of the user's makes: Gymnasium environments, one for each seed."""

from __future__ import annotations

import importlib
import inspect
import sys

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.adapters.gymnasium import as_bytes, check_actions, converter, limit_of, look_here
from caudex.envs.meta.task_family import Family
from caudex.envs.random_streams import Streams
from caudex.envs.watchdog import check_finite, telling, watch

TRIED = 3
"""tasks that are made and compared before anything begins"""


class Factories(Family):
    """The tasks `module:function` makes: `function(seed)` gives a Gymnasium environment, the same for the same seed.

    Observations and actions as `Separate` has them. All tasks must have the same spaces. Episodes are cut after `limit`
    steps, or where that is 0 as the environments themselves say (`TimeLimit`, or `max_episode_steps` where they are
    registered). Raises CaudexError where there is no such function, it makes something else, spaces differ or no limit
    is known.
    """

    def __init__(self, name: str, count: int, limit: int = 0):
        if min(count, limit + 1) < 1:
            raise CaudexError(f"{count} tasks of {name} with episodes of {limit} steps; give 1 or more.")
        watch()
        self.name, self.count, self.make = name, count, function(name)
        first, *others = (self.made(seed) for seed in range(TRIED))
        self.spaces = first.observation_space, first.action_space
        for seed, other in enumerate(others, start=1):
            self.check(other, seed)
        self.observation, self.converted = converter(name, first.observation_space)
        check_actions(name, first.action_space)
        self.action, self.limit = first.action_space, limit or limit_of(first)
        if not self.limit:
            raise CaudexError(
                f"{name} makes environments whose episodes have no limit; let it wrap them in "
                "gymnasium.wrappers.TimeLimit, or say --limit 100."
            )
        for environment in (first, *others):
            environment.close()
        self.tasks: list = [None] * count
        self.chance = Streams(count)
        self.held = np.zeros((count, *self.observation.shape), self.observation.dtype)

    def made(self, seed: int):
        import gymnasium

        with telling(self.name, f"is made of seed {seed}"):
            environment = self.make(seed)
        if not isinstance(environment, gymnasium.Env):
            raise CaudexError(f"{self.name}({seed}) gave a {type(environment).__name__}; it must give a gymnasium.Env.")
        return environment

    def check(self, environment, seed: int) -> None:
        """Raises CaudexError where its spaces are not those of seed 0."""
        kinds = zip(("observations", "actions"), self.spaces, (environment.observation_space, environment.action_space))
        for what, known, found in kinds:
            if found != known:
                raise CaudexError(
                    f"{self.name} gave {what} {known} for seed 0 and {found} for seed {seed}; tasks of one kind must agree: "
                    "pad them to a common space."
                )

    def sample(self, seeds: np.ndarray, which: np.ndarray) -> None:
        self.chance.begin(seeds, which)
        for i in np.flatnonzero(which):
            if self.tasks[i] is not None:
                self.tasks[i].close()
            self.tasks[i] = self.made(int(seeds[i]))
            self.check(self.tasks[i], int(seeds[i]))

    def begin(self, which: np.ndarray) -> np.ndarray:
        episodes = (self.chance.draw(1, which) * (1 << 31)).astype(int)[0]
        with telling(self.name, "begins an episode"):
            for i, seed in zip(np.flatnonzero(which), episodes.tolist()):
                self.held[i] = self.converted(self.tasks[i].reset(seed=seed)[0])
        check_finite(self.name, [self.held], " as an episode began")
        return self.held.copy()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rewards, over = np.zeros(self.count), np.zeros(self.count, bool)
        with telling(self.name, "steps") as call:
            for i, (task, action) in enumerate(zip(self.tasks, actions if self.action.shape else actions.tolist())):
                call.place = i
                observation, rewards[i], ended, late, _ = task.step(action)
                self.held[i], over[i] = self.converted(observation), ended or late
        check_finite(self.name, (rewards, self.held))
        return self.held.copy(), rewards, over

    def image(self) -> np.ndarray:
        with telling(self.name, "is painted"):
            return as_bytes(self.tasks[0].render())

    def close(self) -> None:
        for task in self.tasks:
            if task is not None:
                task.close()


def function(name: str):
    """What stands behind module:function; a module may lie where one works."""
    module, _, attribute = name.partition(":")
    look_here()
    try:
        with telling(name, "is imported"):
            found = getattr(importlib.import_module(module), attribute, None)
    except CaudexError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise CaudexError(
            f"{name} cannot be made: there is no module {error.__cause__.name}; install it, or go where it lies."
        ) from None
    if not callable(found):
        there = [key for key, value in vars(sys.modules[module]).items() if inspect.isfunction(value)]
        raise CaudexError(f"{name}: {module} has no function {attribute!r}; it has {', '.join(there) or 'none'}.")
    return found
