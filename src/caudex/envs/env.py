"""The contract of an environment: several copies of one environment, stepped together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from caudex.core.errors import CaudexError, counted
from caudex.core.specs import ActionSpec, EnvSpec

Policy = Callable[[np.ndarray], np.ndarray]
"""observations [N, ...] to actions, int64 [N] or float32 [N, A]"""


class NoImagesError(CaudexError):
    """The environment is not made to be rendered."""


class TimeStep(NamedTuple):
    """What one step of N environments returns."""

    observations: np.ndarray  # [N, ...], after the step, also where it ended the episode
    rewards: np.ndarray  # float64 [N]
    terminated: np.ndarray  # bool [N]: nothing can follow
    truncated: np.ndarray  # bool [N]: only the time is up
    life_lost: np.ndarray | None = None  # bool [N]: the episode goes on, but learners treat it as terminated
    x_position: np.ndarray | None = None  # float64 [N]: metres along x of each body; NaN where the environment has none


class Env:
    """`num_envs` copies of one environment, stepped together; the spaces are Gymnasium's, of one copy.

    Environments do not auto-reset: `reset(seeds, mask)` resets those of the mask. An episode follows from its seed and its
    actions, unless `deterministic` is False. Images are uint8 [C, H, W], one frame; `EnvRunner` stacks them.
    """

    name: str
    num_envs: int
    observation_space: Any
    action_space: Any
    deterministic: bool = True
    reward_clip: float = 0.0
    """learners clip rewards to [-reward_clip, reward_clip], as published; 0: no clipping"""
    max_episode_steps: int = 0
    """steps after which an episode is truncated where policies are compared; 0: it is played to its end"""
    render_fps: float = 30
    """images a second at which it is to be watched"""

    @property
    def actions(self) -> ActionSpec:
        """The action space, as signals need it."""
        if self.action_space.shape:
            return ActionSpec(low=tuple(self.action_space.low.tolist()), high=tuple(self.action_space.high.tolist()))
        return ActionSpec(int(self.action_space.n))

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Begin episodes from int64 [N] seeds where bool [N] `mask`; the observations of all environments, [N, ...]."""
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> TimeStep:
        """One action each: int64 [N], or float32 [N, A]. Raises CaudexError where an environment fails."""
        raise NotImplementedError

    def render(self) -> np.ndarray:
        """uint8 [H, W, 3]: an image of the first environment."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what the environments hold."""


def random_policy(action_space: Any, seed: int) -> Policy:
    """A policy that draws actions uniformly from `action_space`, whatever it observes."""
    rng = np.random.default_rng(seed)
    if shape := action_space.shape:
        low, high = action_space.low, action_space.high
        return lambda observations: rng.uniform(low, high, (len(observations), *shape)).astype(np.float32)
    return lambda observations: rng.integers(action_space.n, size=len(observations))


def describe_spaces(spec: EnvSpec) -> str:
    """In words, observations of this `shape` and these `actions`."""
    shape, actions = spec.shape, spec.actions
    observations = f"images {tuple(shape)}" if len(shape) == 3 else f"{math.prod(shape)} numbers"
    choices = f"{actions.count} actions" if actions.count else f"{counted(len(actions.low), 'number')} to act with"
    return f"{observations} to see, {choices}"
