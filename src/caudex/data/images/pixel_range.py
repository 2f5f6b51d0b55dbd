"""Images of more than 8 bits: one range of values for a whole set, from which all are scaled to 8 bits."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

PixelRange = tuple[float, float]
"""the values that become 0 and 255"""
SMALLEST = 1e-30  # of a range; a smaller one cannot be divided by


def has_wide_pixels(mode: str) -> bool:
    """Whether images of Pillow's mode have more than 8 bits: I;16, I (32 bits) or F (floats)."""
    return mode.startswith(("I", "F"))


def choose_range(extremes: Iterable[tuple[float, float, bool]]) -> PixelRange:
    """The range for images of these (least value, greatest value, whole numbers?).

    Whole numbers, and floats beyond 1, go from 0 to the most that so many bits hold, 8 at least (255, 511, ... 65,535, ...),
    so that the range hardly depends on the sample; fractions from 0 or -1 to 1. What fits neither, such as negative numbers,
    goes from the least to the greatest of the sample.
    """
    lows, highs, whole = zip(*extremes)
    low, high = min(lows), max(highs)
    if low < 0:
        if low >= -1 and high <= 1 and not all(whole):
            return -1.0, 1.0
        return low, high if high - low > SMALLEST else low + max(1, abs(low))
    if not all(whole) and high <= 1:
        return (0.0, 1.0) if high > 1 / 16 or high < SMALLEST else (0.0, high)
    return 0.0, 2.0 ** max(8, math.ceil(math.log2(high + 1)) if high >= 1 else 8) - 1


def range_of(values: np.ndarray) -> tuple[float, float, bool]:
    """What `choose_range` takes, of one image."""
    return float(values.min()), float(values.max()), values.dtype.kind in "iu"


def to_eight_bits(values: np.ndarray, pixel_range: PixelRange) -> np.ndarray:
    """uint8: the range becomes 0 to 255, what lies outside is cut off."""
    low, high = pixel_range
    values = values.astype(np.float64) - low if low else values.astype(np.float32)
    return (values * (255 / (high - low))).round().clip(0, 255).astype(np.uint8)


def describe_range(pixel_range: PixelRange | None) -> str:
    """A sentence on the range; "" for images of 8 bits."""
    if pixel_range is None:
        return ""
    low, high = (f"{value:,.6g}" for value in pixel_range)
    return f"images of more than 8 bits are scaled from {low} to {high}, by a sample of the set"
