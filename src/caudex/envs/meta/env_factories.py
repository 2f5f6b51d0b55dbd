"""Tasks made by a function of the user's: Gymnasium environments, one for each seed."""

from __future__ import annotations

import inspect
import sys

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import import_attribute, plugin_paths
from caudex.envs.adapters.actions import Actions, convert_actions
from caudex.envs.adapters.gymnasium import to_uint8_image
from caudex.envs.adapters.gymnasium_factory import check_import, episode_limit, import_user_module
from caudex.envs.adapters.spaces import Observations, convert_observations
from caudex.envs.meta.task_family import TaskFamily
from caudex.envs.random_streams import RandomStreams
from caudex.envs.watchdog import GuardedCall, check_finite, start_watchdog

NUM_COMPARED = 3
"""tasks that are made and compared before anything begins"""


class FactoryTasks(TaskFamily):
    """The tasks `module:function`, or an entry point, makes: `function(seed)` gives a Gymnasium environment, the same for the same seed.

    Observations and actions are those of `GymnasiumEnv`. All tasks must have the same spaces. Episodes are truncated after
    `limit` steps, or where that is 0 as the environments themselves say (`TimeLimit`, or `max_episode_steps` where they are
    registered). Raises CaudexError where there is no such function, it makes something else, spaces differ or no limit
    is known.
    """

    def __init__(self, name: str, num_tasks: int, limit: int = 0):
        if min(num_tasks, limit + 1) < 1:
            raise CaudexError(f"{num_tasks} tasks of {name} with episodes of {limit} steps; give 1 or more.")
        start_watchdog()
        self.name, self.num_tasks, self.factory = name, num_tasks, import_function(name)
        first, *others = (self.make_task(seed) for seed in range(NUM_COMPARED))
        self.spaces = first.observation_space, first.action_space
        for seed, other in enumerate(others, start=1):
            self.check_spaces(other, seed)
        observations, actions = (
            convert_observations(name, first.observation_space), convert_actions(name, first.action_space),
        )  # fmt: skip
        self.check_converted(observations, actions)
        self.observation_space, self.convert = observations.space, observations.convert
        self.action_space, self.native_actions = actions.space, actions.native
        self.max_episode_steps = limit or episode_limit(first)
        if not self.max_episode_steps:
            raise CaudexError(
                f"{name} makes environments whose episodes have no limit; let it wrap them in "
                "gymnasium.wrappers.TimeLimit, or say --limit 100."
            )
        for env in (first, *others):
            env.close()
        self.tasks: list = [None] * num_tasks
        self.streams = RandomStreams(num_tasks)
        self.observations = np.zeros((num_tasks, *self.observation_space.shape), self.observation_space.dtype)

    def make_task(self, seed: int):
        import gymnasium

        with GuardedCall(self.name, f"is made of seed {seed}"):
            env = self.factory(seed)
        if not isinstance(env, gymnasium.Env):
            raise CaudexError(f"{self.name}({seed}) gave a {type(env).__name__}; it must give a gymnasium.Env.")
        return env

    def check_spaces(self, env, seed: int) -> None:
        """Raises CaudexError where the spaces of `env` are not those of seed 0."""

        spaces = zip(("observations", "actions"), self.spaces, (env.observation_space, env.action_space))
        for space_name, first_space, space in spaces:
            if space != first_space:
                raise CaudexError(
                    f"{self.name} gave {space_name} {first_space} for seed 0 and {space} for seed {seed}; tasks of one kind must agree: "
                    "pad them to a common space."
                )

    def check_converted(self, observations: Observations, actions: Actions) -> None:
        """Raises CaudexError for observations of several kinds and for several choices at once."""
        if observations.layout or len(actions.choices) > 1:
            raise CaudexError(
                f"{self.name} makes environments with observations {self.spaces[0]} and actions {self.spaces[1]}; tasks show one "
                "vector or one image and take one action: leave the rest out by gymnasium.wrappers.FilterObservation or TransformAction."
            )

    def sample_tasks(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        self.streams.seed(seeds, mask)
        for i in np.flatnonzero(mask):
            if self.tasks[i] is not None:
                self.tasks[i].close()
            self.tasks[i] = self.make_task(int(seeds[i]))
            self.check_spaces(self.tasks[i], int(seeds[i]))

    def reset(self, mask: np.ndarray) -> np.ndarray:
        episodes = (self.streams.uniform(1, mask) * (1 << 31)).astype(int)[0]
        with GuardedCall(self.name, "begins an episode"):
            for i, seed in zip(np.flatnonzero(mask), episodes.tolist()):
                self.observations[i] = self.convert(self.tasks[i].reset(seed=seed)[0], {})
        check_finite(self.name, [self.observations], " as an episode began")
        return self.observations.copy()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rewards, dones = np.zeros(self.num_tasks), np.zeros(self.num_tasks, bool)
        with GuardedCall(self.name, "steps") as call:
            for i, (task, action) in enumerate(zip(self.tasks, self.native_actions(actions))):
                call.env_index = i
                observation, rewards[i], terminated, truncated, _ = task.step(action)
                self.observations[i], dones[i] = self.convert(observation, {}), terminated or truncated
        check_finite(self.name, (rewards, self.observations))
        return self.observations.copy(), rewards, dones

    def render(self) -> np.ndarray:
        with GuardedCall(self.name, "is painted"):
            return to_uint8_image(self.tasks[0].render())

    def close(self) -> None:
        for task in self.tasks:
            if task is not None:
                task.close()


def import_function(name: str):
    """Import module:function, or the function of an entry point; the module may lie in the working directory."""
    check_import(name)
    if path := plugin_paths("envs").get(name):
        return import_attribute(path)
    module, _, attribute = name.partition(":")
    try:
        with GuardedCall(name, "is imported"):
            imported = getattr(import_user_module(module), attribute, None)
    except CaudexError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise CaudexError(
            f"{name} cannot be made: there is no module {error.__cause__.name}; install it, or go where it lies."
        ) from None
    if not callable(imported):
        functions = [key for key, value in vars(sys.modules[module]).items() if inspect.isfunction(value)]
        raise CaudexError(f"{name}: {module} has no function {attribute!r}; it has {', '.join(functions) or 'none'}.")
    return imported
