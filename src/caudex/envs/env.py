"""The contract of an environment: several copies of one environment, stepped together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from caudex.core.errors import CaudexError, counted
from caudex.core.specs import ActionSpec, EnvSpec, ObservationLayout, mask_size

Policy = Callable[[np.ndarray], np.ndarray]
"""observations [N, ...] to actions: int64 [N], int64 [N, A] of several choices at once, or float32 [N, A]"""


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
    actions, unless `deterministic` is False. Images are uint8 [C, H, W], one frame; `EnvRunner` stacks them. Observations of
    several kinds, or with a mask of actions, are rows of bytes uint8 [D] with a `layout`. `action_space` is a `Discrete` or
    `MultiDiscrete` from 0, or a `Box` of float32 vectors.
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
    layout: ObservationLayout = ()
    """the parts of observations that are rows of bytes"""
    ignored_texts: tuple[str, ...] = ()
    """parts of the environment's own observations that are left out"""
    native_spaces: tuple[Any, Any] | None = None
    """of observations and actions, where the environment has others"""

    @property
    def actions(self) -> ActionSpec:
        """The action space, as signals need it."""
        space = self.action_space
        if not space.shape:
            return ActionSpec(int(space.n))
        if hasattr(space, "nvec"):
            return ActionSpec(counts=tuple(space.nvec.tolist()))
        low, high = ([x if np.isfinite(x) else None for x in bound.tolist()] for bound in (space.low, space.high))
        return ActionSpec(low=tuple(low), high=tuple(high))

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Begin episodes from int64 [N] seeds where bool [N] `mask`; the observations of all environments, [N, ...]."""
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> TimeStep:
        """One action each, as a `Policy` gives them. Raises CaudexError where an environment fails."""
        raise NotImplementedError

    def render(self) -> np.ndarray:
        """uint8 [H, W, 3]: an image of the first environment."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what the environments hold."""


def random_policy(action_space: Any, seed: int, layout: ObservationLayout = ()) -> Policy:
    """A policy that draws actions uniformly from `action_space`, of those that a mask in the observation allows; normally
    where a vector has no bounds."""
    rng = np.random.default_rng(seed)
    if size := mask_size(layout):
        return lambda rows: best_choices(np.where(rows[:, -size:], rng.random((len(rows), size)), -1), action_space)
    if hasattr(action_space, "nvec"):
        return lambda observations: rng.integers(action_space.nvec, size=(len(observations), *action_space.shape))
    if not (shape := action_space.shape):
        return lambda observations: rng.integers(action_space.n, size=len(observations))
    low, high = action_space.low, action_space.high
    if action_space.is_bounded():
        return lambda observations: rng.uniform(low, high, (len(observations), *shape)).astype(np.float32)
    return lambda observations: rng.normal(size=(len(observations), *shape)).clip(low, high).astype(np.float32)


def best_choices(scores: np.ndarray, action_space: Any) -> np.ndarray:
    """The options with the highest of scores [N, K]: int64 [N], or [N, A] of the A choices of a `MultiDiscrete`, whose scores stand
    one behind the other."""
    if not action_space.shape:
        return scores.argmax(1)
    parts = np.split(scores, np.cumsum(action_space.nvec)[:-1], 1)
    return np.stack([part.argmax(1) for part in parts], 1)


def describe_spaces(spec: EnvSpec) -> str:
    """In words, observations of this `shape` and these `actions`."""
    shape, actions = spec.shape, spec.actions
    kinds = [f"images {tuple(shape)}" if len(shape) == 3 else counted(math.prod(shape), "number")]
    if spec.layout:
        parts = [part for part in spec.layout if part.kind != "mask"]
        kinds = [f"images {part.shape}" if part.kind == "image" else counted(part.shape[0], "number") for part in parts]
    choices = f"{actions.count} actions" if actions.count else f"{counted(len(actions.low), 'number')} to act with"
    if actions.counts:
        choices = f"choices among {', '.join(map(str, actions.counts))} actions at once"
    masked = ", those that its mask allows" if spec.mask_size else ""
    ignored = f"; left out are its texts {', '.join(spec.ignored_texts)}" if spec.ignored_texts else ""
    return f"{' and '.join(kinds)} to see, {choices}{masked}{ignored}"
