"""Simple shapes drawn into many small images at once.

The image shows x and y from -1 to 1, y upwards. A pixel that an outline crosses is covered in part, so that less than
a pixel of motion shows. Numbers of a shape are one for all images, or an array [N] of one each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Number = float | np.ndarray
GROUND = (0.07, 0.09, 0.13)
TABLE = (0.13, 0.15, 0.20)
FIXED = (0.27, 0.30, 0.36)
TARGET = (0.16, 0.55, 0.30)
DRIVEN = (0.93, 0.55, 0.20)  # what the actions move
FREE = (0.99, 0.96, 0.86)  # what moves by itself, or is moved by what is driven
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue (ITU-R BT.601)


class Disc(NamedTuple):
    x: Number
    y: Number
    radius: float
    colour: tuple
    opacity: Number = 1.0


class Bar(NamedTuple):
    """All that is within `radius` of a straight line from (x, y) to (to_x, to_y)."""

    x: Number
    y: Number
    to_x: Number
    to_y: Number
    radius: float
    colour: tuple
    opacity: Number = 1.0


class Box(NamedTuple):
    """An upright rectangle around (x, y)."""

    x: Number
    y: Number
    half_width: float
    half_height: float
    colour: tuple
    opacity: Number = 1.0


class Canvas:
    """`num_images` images of `size` x `size` with 1 channel (grey) or 3; it keeps its arrays from one call to the next."""

    def __init__(self, num_images: int, size: int, channels: int):
        self.half, self.channels = size / 2, channels
        self.columns = (np.arange(size, dtype=np.float32) + 0.5)[None, None, :]
        self.rows = (np.arange(size, dtype=np.float32) + 0.5)[None, :, None]
        self.frame = np.empty((channels, num_images, size, size), np.float32)
        self.cover, self.along, self.change = (np.empty((num_images, size, size), np.float32) for _ in range(3))

    def render(self, shapes: list) -> np.ndarray:
        """uint8 [N, C, size, size]: the shapes, the later ones in front."""
        for channel, level in zip(self.frame, self.channel_levels(GROUND)):
            channel.fill(level)
        for shape in shapes:
            coverage = self.coverage(shape)
            if np.ndim(shape.opacity):
                coverage = coverage * as_column(shape.opacity)
            for channel, level in zip(self.frame, self.channel_levels(shape.colour)):
                np.subtract(level, channel, out=self.change)
                self.change *= coverage
                channel += self.change
        return self.frame.transpose(1, 0, 2, 3).astype(np.uint8, order="C")  # levels are 0.5 up: this rounds

    def channel_levels(self, colour: tuple) -> np.ndarray:
        shades = np.asarray(colour) if self.channels == 3 else np.dot(LUMINANCE, colour)[None]
        return (255 * shades + 0.5).astype(np.float32)

    def coverage(self, shape) -> np.ndarray:
        """float32 [N, size, size], or [1, ...] where all numbers are for all: how much of each pixel the shape covers."""
        left, top = (1 + as_column(shape.x)) * self.half, (1 - as_column(shape.y)) * self.half  # in pixels
        if isinstance(shape, Box):
            horizontal = band_coverage(self.columns, left, shape.half_width * self.half)
            return horizontal * band_coverage(self.rows, top, shape.half_height * self.half)
        x, y = self.columns - left, self.rows - top
        if isinstance(shape, Disc):
            cover = np.add(x * x, y * y, out=self.cover[: max(len(x), len(y))])
        else:
            across, down = as_column(shape.to_x - shape.x) * self.half, -as_column(shape.to_y - shape.y) * self.half
            length = np.maximum(np.sqrt(across * across + down * down), np.float32(1e-6))
            across, down, middle = across / length, down / length, length / 2
            n = max(len(x), len(y), len(across))
            cover = np.subtract(x * down, y * across, out=self.cover[:n])  # how far beside the line
            along = np.add(x * across, y * down - middle, out=self.along[:n])  # how far along it from its middle
            np.abs(along, out=along)
            along -= middle
            np.maximum(along, 0, out=along)  # beyond its ends
            along *= along
            cover *= cover
            cover += along
        np.sqrt(cover, out=cover)
        np.subtract(np.float32(shape.radius * self.half + 0.5), cover, out=cover)
        np.maximum(cover, 0, out=cover)
        return np.minimum(cover, 1, out=cover)


def as_column(numbers: Number) -> np.ndarray:
    """float32 [N or 1, 1, 1]"""
    return np.asarray(numbers, np.float32).reshape(-1, 1, 1)


def band_coverage(pixels: np.ndarray, middle: np.ndarray, half: float) -> np.ndarray:
    """How much of each row or column of pixels lies within `half` of the middle; exact."""
    ends = np.minimum(pixels + 0.5, middle + half) - np.maximum(pixels - 0.5, middle - half)
    return np.maximum(ends, 0).astype(np.float32)
