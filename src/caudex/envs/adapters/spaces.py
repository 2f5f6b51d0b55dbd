"""Gymnasium's observation spaces as environments here have them: each observation is one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from caudex.core.errors import CaudexError, EnvError
from caudex.core.specs import ObservationLayout, ObservationPart
from caudex.envs.adapters.actions import MAX_BOUND, MAX_NUMBERS, action_mask, late_mask
from caudex.envs.watchdog import check_finite

MIN_SIDE = 3
"""pixels of the shorter side of an image of uint8 or bool, which convolutions need; smaller ones are vectors"""
MIN_SCALED_SIDE = 16
"""the same of boxes of other numbers with bounds: what is smaller is more likely a table than an image"""


class Part(NamedTuple):
    """A part of an observation: where it stands, its shape here, and how it is converted. An image is uint8 [C, H, W]; a text
    is left out."""

    place: str  # ['camera'][0] of a nested observation
    kind: str  # "image", "vector" or "text"
    shape: tuple[int, ...]
    convert: Callable[[Any], np.ndarray]


class Observations(NamedTuple):
    """The observations of an environment as one array each."""

    space: Any  # Box: float32 [W], uint8 [C, H, W], or rows of bytes uint8 [D]
    layout: ObservationLayout  # of rows of bytes
    ignored_texts: tuple[str, ...]
    convert: Callable[[Any, Mapping, bool], np.ndarray]  # of an observation, its info, and whether the episode is over


def convert_observations(name: str, space: Any, choices: tuple[int, ...] = (), masked: bool = False) -> Observations:
    """How observations of `space` are converted; with `masked` the mask info["action_mask"] of the `choices` is a part of each.

    Raises CaudexError for spaces that cannot be converted. `convert` raises it for an observation that is not of the space:
    numpy would broadcast or round it, and say nothing.
    """
    from gymnasium.spaces import Box

    all_parts = list(observation_parts(name, space))
    texts = tuple(part.place.strip("[]'") for part in all_parts if part.kind == "text")
    vectors, images = ([part for part in all_parts if part.kind == kind] for kind in ("vector", "image"))
    if not vectors + images:
        raise CaudexError(
            f"the environment {name} has observations {space}, in which there is nothing to see but texts; give numbers by "
            "gymnasium.wrappers.TransformObservation."
        )
    width = sum(part.shape[0] for part in vectors)
    layout = [ObservationPart("vector", (width,))] if width else []
    layout += [ObservationPart("image", part.shape) for part in images]
    layout += [ObservationPart("mask", (sum(choices),))] if masked else []
    nbytes = sum(part.nbytes for part in layout)
    if (len(layout) > 1 and nbytes > MAX_NUMBERS) or width > MAX_NUMBERS:
        raise CaudexError(
            f"the environment {name} has observations of {nbytes:,} bytes; more than {MAX_NUMBERS:,} are not taken: show less by "
            "gymnasium.wrappers.ResizeObservation or TransformObservation."
        )
    if len(layout) < 2:
        converted = Box(0, 255, images[0].shape, np.uint8) if images else Box(-np.inf, np.inf, (width,), np.float32)
        layout = []
    else:
        converted = Box(0, 255, (nbytes,), np.uint8)

    convert_first = all_parts[0].convert

    def convert(observation: Any, info: Mapping, is_over: bool = False) -> np.ndarray:
        array = convert_first(observation)
        if choices and "action_mask" in info:
            raise late_mask(name)
        return array

    def convert_parts(observation: Any, info: Mapping, is_over: bool = False) -> np.ndarray:
        row = np.empty(nbytes, np.uint8)
        numbers, byte, number = row[: 4 * width].view(np.float32), 4 * width, 0
        for part, value in zip(all_parts, leaf_values(name, space, observation)):
            if part.kind == "vector":
                numbers[number : number + part.shape[0]] = part.convert(value)
                number += part.shape[0]
            elif part.kind == "image":
                row[byte : byte + np.prod(part.shape)] = part.convert(value).ravel()
                byte += np.prod(part.shape)
        check_finite(name, [numbers])
        if masked:
            row[byte:] = action_mask(name, info, choices, is_over)
        elif choices and "action_mask" in info:
            raise late_mask(name)
        return row if layout else row.reshape(converted.shape) if images else numbers

    is_nested = bool(layout) or bool(all_parts[0].place)
    return Observations(converted, tuple(layout), texts, convert_parts if is_nested else convert)


def observation_parts(name: str, space: Any, place: str = "") -> Iterator[Part]:
    """The parts of a space, those of nested ones in Gymnasium's order."""
    from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
    from gymnasium.spaces.utils import flatdim

    if isinstance(space, (Dict, Tuple)):
        for key, inner in space.spaces.items() if isinstance(space, Dict) else enumerate(space.spaces):
            yield from observation_parts(name, inner, f"{place}[{key!r}]")
    elif getattr(space.dtype, "kind", "") == "U":  # Text, and spaces of others' packages, as MiniGrid's missions
        yield Part(place, "text", (), str)
    elif isinstance(space, Discrete) and space.n <= MAX_NUMBERS:
        yield Part(place, "vector", (int(space.n),), lambda number: one_hot_number(name, place, space, number))
    elif isinstance(space, MultiDiscrete) and space.nvec.sum() <= MAX_NUMBERS:
        array_of = array_checker(name, place, space)
        yield Part(
            place, "vector", (flatdim(space),), lambda numbers: one_hot_numbers(name, place, space, array_of(numbers))
        )
    elif isinstance(space, (Box, MultiBinary)):
        yield array_part(name, place, space)
    else:
        wrapper = "FilterObservation, which leaves it out, or " if place else ""
        raise CaudexError(
            f"the environment {name} has observations{place} {space}, which are not taken; give a Box, Discrete, MultiDiscrete, "
            f"MultiBinary, Dict or Tuple by gymnasium.wrappers.{wrapper}TransformObservation."
        )


def array_part(name: str, place: str, space: Any) -> Part:
    """An image where a box can be one, else a vector."""
    array_of, shape = array_checker(name, place, space), space.shape
    is_bytes = space.dtype in (np.uint8, bool) and hasattr(space, "low")
    if not is_image(space, MIN_SIDE if is_bytes else MIN_SCALED_SIDE):
        if len(shape) == 1:
            return Part(place, "vector", shape, array_of)
        return Part(place, "vector", (int(np.prod(shape)),), lambda array: array_of(array).ravel())
    if len(shape) == 2:
        shape, channels_first = (1, *shape), lambda image: image[None]
    elif has_channels_first(shape):
        channels_first = lambda image: image  # noqa: E731
    else:
        shape, channels_first = (shape[2], *shape[:2]), lambda image: image.transpose(2, 0, 1)
    if space.dtype == np.uint8:
        return Part(place, "image", shape, lambda image: channels_first(array_of(image)))
    if space.dtype == bool:
        return Part(place, "image", shape, lambda image: channels_first(array_of(image)).astype(np.uint8) * 255)
    low, high = float(space.low.min()), float(space.high.max())

    def scaled(image: Any) -> np.ndarray:
        shares = (np.asarray(array_of(image), float) - low) / (high - low)
        check_finite(name, [shares])
        return channels_first((255 * shares).round().clip(0, 255).astype(np.uint8))

    return Part(place, "image", shape, scaled)


def is_image(space: Any, min_side: int) -> bool:
    """Whether a box of rank 2 or 3 has bounds, and sides of `min_side` pixels at least."""
    if len(space.shape) not in (2, 3) or not hasattr(space, "low"):
        return False
    sides = space.shape[1:] if has_channels_first(space.shape) else space.shape[:2]
    low, high = float(space.low.min()), float(space.high.max())
    return min(sides) >= min_side and max(-low, high) <= MAX_BOUND and low < high


def has_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether an image's first side is the shortest, so that it counts the channels."""
    return len(shape) == 3 and shape[0] < min(shape[1:])


def array_checker(name: str, place: str, space: Any) -> Callable[[Any], np.ndarray]:
    """A function that gives an observation as an array, and raises EnvError for one of another shape, and for numbers that
    the dtype of a space of whole numbers does not hold."""
    shape, dtype, is_whole = space.shape, space.dtype, space.dtype.kind in "iub"

    def checked(observation: Any) -> np.ndarray:
        array = np.asarray(observation)
        if array.shape != shape:
            raise EnvError(
                f"the environment {name} showed an observation{place} of shape {array.shape}, but its observation_space says {shape}"
                f"{'; reset gives an observation and a dict' * isinstance(observation, tuple)}."
            )
        if is_whole and array.dtype != dtype:
            if not np.array_equal(cast := array.astype(dtype), array):
                raise EnvError(
                    f"the environment {name} showed an observation{place} of {array.dtype} that {dtype} does not hold, but its "
                    f"observation_space says {dtype}."
                )
            return cast
        return array

    return checked


def one_hot_number(name: str, place: str, space: Any, number: Any) -> np.ndarray:
    """float32 [n] of an observation of a `Discrete` space."""
    if not 0 <= (index := number - int(space.start)) < space.n:
        raise outside(name, place, space, number)
    row = np.zeros(int(space.n), np.float32)
    row[index] = 1
    return row


def one_hot_numbers(name: str, place: str, space: Any, numbers: np.ndarray) -> np.ndarray:
    """[sum of n] of an observation of a `MultiDiscrete` space."""
    from gymnasium.spaces.utils import flatten

    if ((numbers < space.start) | (numbers >= space.start + space.nvec)).any():
        raise outside(name, place, space, numbers)
    return flatten(space, numbers)


def outside(name: str, place: str, space: Any, observation: Any) -> EnvError:
    return EnvError(
        f"the environment {name} showed an observation{place} {observation}, but its observation_space says {space}."
    )


def leaf_values(name: str, space: Any, observation: Any, place: str = "") -> Iterator[Any]:
    """The values of the parts of a nested observation. Raises EnvError for one that is nested in another way."""
    from gymnasium.spaces import Dict, Tuple

    if isinstance(space, Dict):
        keys = list(observation) if isinstance(observation, Mapping) else type(observation).__name__
        if keys != list(space.spaces) and (isinstance(keys, str) or set(keys) != set(space.spaces)):
            raise nested_otherwise(name, place, keys, list(space.spaces))
        for key, inner in space.spaces.items():
            yield from leaf_values(name, inner, observation[key], f"{place}[{key!r}]")
    elif isinstance(space, Tuple):
        length = len(observation) if isinstance(observation, (tuple, list)) else type(observation).__name__
        if length != len(space.spaces):
            raise nested_otherwise(name, place, length, len(space.spaces))
        for i, (inner, value) in enumerate(zip(space.spaces, observation)):
            yield from leaf_values(name, inner, value, f"{place}[{i}]")
    else:
        yield observation


def nested_otherwise(name: str, place: str, parts: Any, expected: Any) -> EnvError:
    return EnvError(
        f"the environment {name} showed an observation{place} with the parts {parts}, but its observation_space says {expected}."
    )
