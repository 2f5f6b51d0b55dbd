"""Gymnasium's spaces as typed JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caudex.core.errors import CaudexError, short_message
from caudex.core.specs import MAX_SPACE, SpaceSpec
from caudex.envs.adapters.actions import MAX_BOUND


def space_spec(space: Any) -> SpaceSpec | None:
    """What a run keeps of a space; None for one that is too large, or that no JSON holds."""
    if space is None:
        return None
    from gymnasium.spaces import Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

    if isinstance(space, (Dict, Tuple)):
        inner = space.spaces if isinstance(space, Dict) else {str(i): part for i, part in enumerate(space.spaces)}
        parts = {key: space_spec(part) for key, part in inner.items()}
        if None in parts.values() or not all(isinstance(key, str) for key in parts):
            return None
        return SpaceSpec("dict" if isinstance(space, Dict) else "tuple", parts=parts)
    if space.dtype.kind == "U":
        return SpaceSpec("text")
    dtype, shape = space.dtype.name, space.shape
    if math.prod(shape) > MAX_SPACE or space.dtype.itemsize > 8:
        return None
    if isinstance(space, MultiBinary):
        return SpaceSpec("multi-binary", dtype, shape)
    if isinstance(space, (Discrete, MultiDiscrete)):
        count, kind = (space.n, "discrete") if isinstance(space, Discrete) else (space.nvec, "multi-discrete")
        return SpaceSpec(kind, dtype, shape, bounds(space.start), bounds(space.start + count - 1))
    low, high = bounds(space.low), bounds(space.high)
    return SpaceSpec("box", dtype, shape, *((low[:1], high[:1]) if len({*low}) == len({*high}) == 1 else (low, high)))


def bounds(numbers: Any) -> tuple[float | None, ...]:
    """The bounds of each number; None where there is none."""
    array = np.ravel(numbers)
    array = array.astype(int) if array.dtype == bool else array
    return tuple(bound if abs(bound) <= MAX_BOUND else None for bound in array.tolist())


def build_space(spec: SpaceSpec) -> Any:
    """The inverse of `space_spec`. Raises CaudexError for what is no space."""
    try:
        return _build_space(spec)
    except (AssertionError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise CaudexError(
            f"spec.json has a space that cannot be ({short_message(error)}); restore it or train anew."
        ) from None


def _build_space(spec: SpaceSpec) -> Any:
    from gymnasium import spaces

    parts = {key: _build_space(part) for key, part in spec.parts.items()}
    if spec.kind == "dict":
        return spaces.Dict(list(parts.items()))
    if spec.kind == "tuple":
        return spaces.Tuple(list(parts.values()))
    if spec.kind == "text":
        return spaces.Text(1)
    if spec.kind == "multi-binary":
        return spaces.MultiBinary(spec.shape)
    low, high = bound_array(spec, spec.low, -np.inf), bound_array(spec, spec.high, np.inf)
    if spec.kind == "discrete":
        return spaces.Discrete(int(high - low) + 1, start=int(low))
    if spec.kind == "multi-discrete":
        return spaces.MultiDiscrete(high - low + 1, dtype=spec.dtype, start=low)
    return spaces.Box(low, high, dtype=spec.dtype)


def bound_array(spec: SpaceSpec, bounds: Sequence[float | None], unbounded: float) -> np.ndarray:
    array = np.array([unbounded if bound is None else bound for bound in bounds], spec.dtype)
    return np.full(spec.shape, array[0]) if len(array) == 1 else array.reshape(spec.shape)
