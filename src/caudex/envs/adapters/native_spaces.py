"""Spaces as an environment has them, kept in a run: what a policy acts on, without the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.specs import ActionSpec, EnvSpec
from caudex.envs.adapters.actions import convert_actions
from caudex.envs.adapters.space_specs import build_space
from caudex.envs.adapters.spaces import convert_observations, leaf_values
from caudex.envs.watchdog import check_finite


class NativeSpaces:
    """Observations as the environment returns them to the rows that were learned from, and actions as it takes them."""

    def __init__(self, spec: EnvSpec):
        self.name, self.mask_size = spec.env, spec.mask_size
        frames = spec.frame_stack if len(spec.shape) == 3 else 1
        shape = (spec.shape[0] // frames, *spec.shape[1:])
        native = spec.native_observations, spec.native_actions
        self.space, self.action_space = (
            build_space(part) if part else default
            for part, default in zip(native, converted_spaces(shape, spec.actions))
        )
        self.actions = convert_actions(self.name, self.action_space)
        self.rows = convert_observations(self.name, self.space, self.actions.choices, bool(self.mask_size))
        if (
            self.rows.space.shape != shape
            or self.rows.layout != spec.layout
            or self.actions.choices != spec.actions.choices
        ):
            raise CaudexError(
                f"spec.json: {self.space} and {self.action_space} are not what was learned in; restore it or train anew."
            )

    def to_rows(self, observation: Any, action_masks: Any = None) -> tuple[np.ndarray, bool]:
        """[N, ...] of one observation or of several along a first axis, and whether they are several. Without masks all actions are
        allowed. Raises CaudexError for observations of other shapes."""
        if isinstance(observation, Mapping) and "action_mask" not in getattr(self.space, "spaces", "action_mask"):
            observation = dict(observation)
            mask = observation.pop("action_mask", None)
            action_masks = mask if action_masks is None else action_masks
        count = self.count(observation)
        is_batch = count is not None
        several = [take(self.space, observation, i) for i in range(count)] if is_batch else [observation]
        if action_masks is None:
            action_masks = np.ones((len(several), self.mask_size), bool)
        elif not is_batch:
            action_masks = [action_masks]
        if len(action_masks) != len(several):
            raise CaudexError(f"{len(action_masks)} action_masks for {len(several)} observations; give one for each.")
        rows = np.empty((len(several), *self.rows.space.shape), self.rows.space.dtype)
        for i, (part, mask) in enumerate(zip(several, action_masks)):
            rows[i] = self.rows.convert(part, {"action_mask": mask} if self.mask_size else {}, False)
        if rows.dtype.kind == "f":
            check_finite(self.name, [rows])
        return rows, is_batch

    def count(self, observation: Any) -> int | None:
        """How many observations there are along a first axis; None where there is one, without such an axis."""
        counts = set()
        for space, value in zip(leaf_spaces(self.space), leaf_values(self.name, self.space, observation)):
            if space.dtype.kind == "U":
                continue
            try:
                shape = np.shape(value)
            except ValueError:  # arrays of several shapes, as (observation, info)
                shape = None
            rank = len(space.shape)
            if shape is None or shape[len(shape) - rank :] != space.shape or len(shape) - rank not in (0, 1):
                kind = f"{type(value).__name__} of arrays that differ in shape" if shape is None else f"shape {shape}"
                raise CaudexError(
                    f"an observation, {kind}, is not one of {self.name}, which shows {space}; give one as the environment returns it, "
                    "or several along a first axis."
                )
            counts.add(shape[0] if len(shape) > rank else None)
        if len(counts) > 1:
            raise CaudexError(f"the parts of the observations of {self.name} are {counts}; give as many of each.")
        return counts.pop()

    def to_native(self, actions: np.ndarray) -> np.ndarray:
        """Actions [N, ...] of the environment's own dtype, shape and start."""
        return np.asarray(list(self.actions.native(actions)), self.action_space.dtype).reshape(
            -1, *self.action_space.shape
        )


def converted_spaces(shape: Sequence[int], actions: ActionSpec) -> tuple[Any, Any]:
    """Of observations and actions, where the environment has no others."""
    from gymnasium.spaces import Box, Discrete, MultiDiscrete

    observations = Box(0, 255, shape, np.uint8) if len(shape) == 3 else Box(-np.inf, np.inf, shape, np.float32)
    if actions.count:
        return observations, Discrete(actions.count)
    if actions.counts:
        return observations, MultiDiscrete(actions.counts)
    return observations, Box(*(np.array(bounds, np.float32) for bounds in actions.bounds))


def leaf_spaces(space: Any) -> Iterator[Any]:
    """The spaces in a nested one, in Gymnasium's order."""
    inner = getattr(space, "spaces", None)
    if inner is None:
        yield space
    for part in inner.values() if isinstance(inner, Mapping) else inner or ():
        yield from leaf_spaces(part)


def take(space: Any, observations: Any, i: int) -> Any:
    """The i-th of several observations along a first axis."""
    inner = getattr(space, "spaces", None)
    if inner is None:
        return observations[i]
    if isinstance(inner, Mapping):
        return {key: take(part, observations[key], i) for key, part in inner.items()}
    return tuple(take(part, value, i) for part, value in zip(inner, observations))
