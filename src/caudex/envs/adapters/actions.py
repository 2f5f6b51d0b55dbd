"""Gymnasium's action spaces as policies know them: whole numbers from 0, or float32 vectors; and masks of actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from caudex.core.errors import CaudexError, EnvError

MAX_NUMBERS = 1 << 20
"""bytes or numbers of an observation, and options of a choice; more are refused"""
MAX_CHOICES = 1 << 12
"""made at once"""
MAX_BOUND = 1e30
"""larger bounds are none"""


class Actions(NamedTuple):
    """The actions of an environment as policies give them."""

    space: Any  # Discrete or MultiDiscrete from 0, or Box of float32 vectors
    native: Callable[[np.ndarray], Iterable]  # from [N, ...] to one action for each environment

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of options of each choice; () for vectors."""
        return tuple(np.ravel(getattr(self.space, "nvec", getattr(self.space, "n", ()))).tolist())


def convert_actions(name: str, space: Any) -> Actions:
    """How actions become those of `space`. Raises CaudexError for a space that cannot be acted in."""
    from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

    shape = space.shape
    if isinstance(space, Discrete) and space.n <= MAX_NUMBERS:
        start = int(space.start)
        return Actions(Discrete(int(space.n)), lambda actions: (actions + start if start else actions).tolist())
    if isinstance(space, (MultiBinary, MultiDiscrete)) and 0 < np.prod(shape) <= MAX_CHOICES:
        counts, start = np.full(shape, 2), 0
        if isinstance(space, MultiDiscrete):
            counts, start = space.nvec, space.start
        if counts.sum() <= MAX_NUMBERS:
            native = lambda actions: (actions.reshape(-1, *shape) + start).astype(space.dtype)  # noqa: E731
            return Actions(MultiDiscrete(counts.ravel()), native)
    if isinstance(space, Box) and 0 < np.prod(shape) <= MAX_NUMBERS:
        return box_actions(space)
    raise CaudexError(
        f"the environment {name} has actions {space}, which are not taken; give a Discrete, MultiDiscrete, MultiBinary or Box by "
        "gymnasium.wrappers.TransformAction."
    )


def box_actions(space: Any) -> Actions:
    """Vectors of float32, within the bounds where there are any; those of whole numbers are rounded."""
    from gymnasium.spaces import Box

    low, high = box_bounds(space)
    converted = Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)
    if space.dtype == np.float32 and len(space.shape) == 1:
        return Actions(converted, lambda actions: actions)

    def native(actions: np.ndarray) -> list[np.ndarray]:
        numbers = actions.astype(float).clip(low, high)  # float32 may lie outside of bounds of float64
        numbers = numbers if space.dtype.kind == "f" else np.rint(numbers)
        return [row.reshape(space.shape) for row in numbers.astype(space.dtype)]

    return Actions(converted, native)


def box_bounds(space: Any) -> tuple[np.ndarray, np.ndarray]:
    """float64 [A] each; infinite where there is none."""
    low, high = (
        np.where(np.abs(bound := bounds.ravel().astype(float)) > MAX_BOUND, np.copysign(np.inf, bound), bound)
        for bounds in (space.low, space.high)
    )
    return low, high


def action_mask(name: str, info: Mapping, choices: tuple[int, ...], is_over: bool) -> np.ndarray:
    """bool [K]: which options of all choices are allowed, of `info["action_mask"]`. Where an episode is over, it may be missing or
    forbid everything: all are allowed then, as none is taken. Raises EnvError for a mask that is none."""
    size, mask = sum(choices), info.get("action_mask")
    if mask is None and not is_over:
        raise EnvError(
            f'the environment {name} gave no info["action_mask"], but one when it was first reset; give one always, or never.'
        )
    mask = np.ones(size) if mask is None else np.concatenate(mask) if isinstance(mask, tuple) else np.asarray(mask)
    if mask.shape != (size,) or not ((mask == 0) | (mask == 1)).all():
        raise EnvError(
            f'the environment {name} gave an info["action_mask"] {str(mask)[:60]} of shape {mask.shape}; it must have a 1 for each of {size} '
            "actions that is allowed, and a 0 for each that is not."
        )
    allowed = mask == 1
    if not np.logical_or.reduceat(allowed, np.cumsum((0, *choices[:-1]))).all():
        if not is_over:
            raise EnvError(
                f'the environment {name} gave an info["action_mask"] that forbids every action, in an episode that goes on; allow one, or '
                "end the episode."
            )
        return np.ones(size, bool)
    return allowed


def late_mask(name: str) -> EnvError:
    return EnvError(
        f'the environment {name} gave an info["action_mask"], but none when it was first reset; give one always, or never.'
    )


def reward_number(name: str, reward: Any) -> float:
    """A reward, also one in an array of one number. Raises EnvError for what is none."""
    array = np.asarray(reward)
    if array.size != 1 or array.dtype.kind not in "fiub":
        raise EnvError(f"the environment {name} gave the reward {str(reward)[:60]}; it must be one number.")
    return float(array.reshape(()))
