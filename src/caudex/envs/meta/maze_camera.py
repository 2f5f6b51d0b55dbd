"""Mazes of square tiles seen from inside, many at once, by casting a ray for each column of an image.

One stands in the middle of a tile and looks north, east, south or west. So what a column shows follows from how far along
its ray the first wall stands and what that wall is made of, and all columns there can be are painted once.
"""

from __future__ import annotations

import numpy as np

from caudex.envs.meta.maze_layouts import moves
from caudex.envs.meta.maze_tiles import FLOOR, GRAIN, TARGET, textures

BACK = 0.4
"""tiles; the eye is so far behind the middle of its tile, so that one sees openings at the sides"""
CEILING = (0.20, 0.23, 0.30)
SHARP = 4
"""points along each side of a pixel that its colour is the mean of"""


class Camera:
    """Images uint8 [N, 3, size, size] with a view of 90 degrees, in mazes of `side` x `side` tiles.

    With depth measured along the line of sight and the eye at (0, 0), a ray goes through (depth, slope * depth).
    `beforehand`: paint every column before the first image, instead of those that an image needs.
    """

    def __init__(self, side: int, size: int, beforehand: bool = True):
        self.side, self.size = side, size
        self.slopes = (2 * np.arange(size) + 1) / size - 1  # of the columns, from the left
        self.tiles, self.depths, self.front = crossings(self.slopes, 2 * side)  # [size, K, 2], [size, K], [size, K]
        along, across = self.tiles[..., 0].T, self.tiles[..., 1].T
        ways = moves(side)
        self.offsets = np.stack([along * ways[turn] + across * ways[turn - 3] for turn in range(4)], 1)  # [K, 4, size]
        self.offsets = self.offsets.reshape(len(along), -1)
        every = np.arange(len(textures()) * self.depths.size)
        self.painted = self.paint(every) if beforehand else None

    def look(self, walls: np.ndarray, places: np.ndarray, turns: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """What is seen in mazes uint8 [N, S, S], 0 free and t a wall of texture t - 1, from int [N] places in the flat
        maze, looking int [N] 0 north, 1 east, 2 south, 3 west, with a ball at int [N] targets."""
        kinds, hits = self.cast(walls, places, turns)
        columns = hits * self.size + np.arange(self.size)
        which = (kinds.astype(np.int64) - 1) * self.depths.size + columns
        frames = self.paint(which) if self.painted is None else self.painted[which]
        frames = frames.reshape(len(walls), self.size, 3, self.size)
        self.place_ball(frames, self.depths.T.reshape(-1)[columns], places, turns, targets)
        return frames.transpose(0, 2, 3, 1).copy()

    def cast(self, walls: np.ndarray, places: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[N, size] each: the first wall along each ray, and how many tiles behind the first it is."""
        flat, count = walls.reshape(-1), len(walls) * self.size
        kinds, hits = np.zeros(count, np.uint8), np.zeros(count, np.int64)
        rays = np.arange(count)
        ray = (turns[:, None] * self.size + np.arange(self.size)).reshape(-1)
        start = np.repeat(places + np.arange(len(walls)) * self.side**2, self.size)
        for k, offsets in enumerate(self.offsets):
            met = flat[start + offsets[ray]]
            stops = met > 0
            kinds[rays[stops]], hits[rays[stops]] = met[stops], k
            goes = ~stops
            rays, ray, start = rays[goes], ray[goes], start[goes]
            if not len(rays):
                break
        return kinds.reshape(-1, self.size), hits.reshape(-1, self.size)

    def paint(self, which: np.ndarray) -> np.ndarray:
        """uint8 [M, 3 size]: columns, numbered (texture * K + crossing at which its wall is met) * size + place in the image."""
        rest, column = np.divmod(which.reshape(-1), self.size)
        texture, k = np.divmod(rest, self.depths.shape[1])
        fine = (2 * np.arange(SHARP) + 1) / SHARP - 1
        slopes = self.slopes[column][:, None] + fine / self.size  # [M, SHARP], never 0
        front, (ahead, aside) = self.front[column, k][:, None], self.tiles[column, k].T[..., None]
        depth = np.where(front, ahead - 0.5 + BACK, (aside - 0.5 * np.sign(aside)) / slopes)
        along = np.where(front, slopes * depth - aside, depth - BACK - ahead) + 0.5  # of the wall, from the left
        along = np.where(front | (aside < 0), along, 1 - along).clip(0, 1 - 1e-6)
        heights = 1 - (2 * np.arange(self.size * SHARP) + 1) / (self.size * SHARP)  # of the rows' slopes, from the top
        up = heights[None, :, None] * depth[:, None]  # [M, rows, SHARP], in tiles, from the eye
        across = (along * GRAIN).astype(int)[:, None]
        down = ((0.5 - up) * GRAIN).clip(0, GRAIN - 1).astype(int)
        shade = np.where(front, 1.0, 0.78)[:, None] / (1 + 0.13 * depth[:, None])
        wall = textures()[texture[:, None, None], down, across] * shade[..., None]
        far = 0.5 / np.maximum(np.abs(heights), 1e-6)[None, :, None]  # where floor and ceiling are met
        right = slopes[:, None] * far
        seam = (np.abs((far - BACK + 0.5) % 1 - 0.5) > 0.46) | (np.abs((right + 0.5) % 1 - 0.5) > 0.46)
        level = np.where(heights[:, None, None] > 0, CEILING, FLOOR) * (1 - 0.25 * seam)[..., None]
        level /= (1 + 0.13 * far)[..., None]
        found = np.where((np.abs(up) < 0.5)[..., None], wall, level)
        found = found.reshape(len(k), self.size, SHARP, SHARP, 3).mean((2, 3))
        return (255 * found + 0.5).astype(np.uint8).transpose(0, 2, 1).reshape(len(k), -1)

    def place_ball(self, frames, depths, places, turns, targets) -> None:
        """Draw a ball into frames [N, size, 3, size], column by column, where no wall of these depths [N, size] hides it."""
        down, right = np.divmod(targets, self.side)
        down, right = down - places // self.side, right - places % self.side
        ahead = np.choose(turns, [-down, right, down, -right])
        aside = np.choose(turns, [right, down, -right, -down])
        which = np.flatnonzero((ahead > 0) & (np.abs(aside) <= ahead + 1))
        depth = (ahead[which] + BACK)[:, None]
        column, row = self.slopes * depth - aside[which][:, None], -self.slopes * depth  # in tiles, at that depth
        pixel = 2 * depth / self.size
        seen = (depths[which] > depth) & (np.abs(column) < 0.3 + pixel)
        n, c = np.nonzero(seen)
        x, y, pixel = column[n, c][:, None], row[n] + 0.12, pixel[n]
        away = np.sqrt(x * x + y * y)
        cover = ((0.3 - away) / pixel + 0.5).clip(0, 1)[:, None]
        light = (1.15 - 1.6 * np.sqrt((x + 0.1) ** 2 + (y - 0.12) ** 2)).clip(0.35, 1)[:, None]
        glare = (1 - np.sqrt((x + 0.1) ** 2 + (y - 0.12) ** 2) / 0.09).clip(0, 1)[:, None]
        colour = 255 * (np.array(TARGET)[:, None] * light * (1 - glare) + glare)
        behind = frames[which[n], c]
        frames[which[n], c] = behind + cover * (colour - behind) + 0.5


def crossings(slopes: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tiles that rays enter one after the other, from the eye in tile (0, 0): int [W, K, 2] tiles ahead and to the
    right, float [W, K] depths at which they are entered, bool [W, K] whether through their front."""
    steps = np.arange(most) + 0.5
    ahead = np.broadcast_to(steps + BACK, (len(slopes), most))
    with np.errstate(divide="ignore"):
        aside = steps / np.abs(slopes)[:, None]
    depths = np.concatenate([ahead, aside], 1)
    order = depths.argsort(1, kind="stable")[:, :most]
    front = order < most
    way = np.sign(slopes).astype(int)[:, None]
    tiles = np.stack([front.cumsum(1), (~front).cumsum(1) * way], 2)
    return tiles, np.take_along_axis(depths, order, 1), front
