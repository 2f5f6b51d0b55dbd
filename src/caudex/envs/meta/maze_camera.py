"""Mazes of square tiles seen from inside, many at once, by casting a ray for each column of an image.

One stands in the middle of a tile and looks north, east, south or west. So what a column shows follows from how far along
its ray the first wall stands and what that wall is made of, and all possible columns are rendered once.
"""

from __future__ import annotations

import numpy as np

from caudex.envs.meta.maze_layouts import heading_offsets
from caudex.envs.meta.maze_tiles import FLOOR, TARGET, TEXTURE_SIZE, textures

EYE_SETBACK = 0.4
"""tiles; the eye is so far behind the middle of its tile, so that one sees openings at the sides"""
CEILING = (0.20, 0.23, 0.30)
SUPERSAMPLING = 4
"""points along each side of a pixel that its colour is the mean of"""


class MazeCamera:
    """Images uint8 [N, 3, size, size] with a view of 90 degrees, in mazes of `side` x `side` tiles.

    With depth measured along the line of sight and the eye at (0, 0), a ray goes through (depth, slope * depth).
    `precompute`: render every column before the first image, instead of those that an image needs.
    """

    def __init__(self, side: int, size: int, precompute: bool = True):
        self.side, self.size = side, size
        self.slopes = (2 * np.arange(size) + 1) / size - 1  # of the columns, from the left
        self.tiles, self.depths, self.front = ray_crossings(self.slopes, 2 * side)  # [size, K, 2], [size, K], [size, K]
        along, across = self.tiles[..., 0].T, self.tiles[..., 1].T
        offsets = heading_offsets(side)
        self.offsets = np.stack(
            [along * offsets[turn] + across * offsets[turn - 3] for turn in range(4)], 1
        )  # [K, 4, size]
        self.offsets = self.offsets.reshape(len(along), -1)
        column_numbers = np.arange(len(textures()) * self.depths.size)
        self.column_cache = self.render_columns(column_numbers) if precompute else None

    def render(self, walls: np.ndarray, positions: np.ndarray, headings: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The views in mazes uint8 [N, S, S], 0 free and t a wall of texture t - 1, from int [N] positions in the flat
        maze, with int [N] headings 0 north, 1 east, 2 south, 3 west, and a ball at int [N] targets."""
        textures_hit, crossings_hit = self.cast_rays(walls, positions, headings)
        columns = crossings_hit * self.size + np.arange(self.size)
        column_numbers = (textures_hit.astype(np.int64) - 1) * self.depths.size + columns
        frames = self.render_columns(column_numbers) if self.column_cache is None else self.column_cache[column_numbers]
        frames = frames.reshape(len(walls), self.size, 3, self.size)
        self.draw_ball(frames, self.depths.T.reshape(-1)[columns], positions, headings, targets)
        return frames.transpose(0, 2, 3, 1).copy()

    def cast_rays(
        self, walls: np.ndarray, positions: np.ndarray, headings: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """[N, size] each: the value of the first wall along each ray, and the number of the crossing at which it is met."""
        flat, num_rays = walls.reshape(-1), len(walls) * self.size
        textures_hit, crossings_hit = np.zeros(num_rays, np.uint8), np.zeros(num_rays, np.int64)
        rays = np.arange(num_rays)
        ray = (headings[:, None] * self.size + np.arange(self.size)).reshape(-1)
        start = np.repeat(positions + np.arange(len(walls)) * self.side**2, self.size)
        for k, offsets in enumerate(self.offsets):
            tiles_met = flat[start + offsets[ray]]
            hit = tiles_met > 0
            textures_hit[rays[hit]], crossings_hit[rays[hit]] = tiles_met[hit], k
            live = ~hit
            rays, ray, start = rays[live], ray[live], start[live]
            if not len(rays):
                break
        return textures_hit.reshape(-1, self.size), crossings_hit.reshape(-1, self.size)

    def render_columns(self, column_numbers: np.ndarray) -> np.ndarray:
        """uint8 [M, 3 size]: columns, numbered (texture * K + crossing at which its wall is met) * size + column of the image."""
        rest, column = np.divmod(column_numbers.reshape(-1), self.size)
        texture, k = np.divmod(rest, self.depths.shape[1])
        fine = (2 * np.arange(SUPERSAMPLING) + 1) / SUPERSAMPLING - 1
        slopes = self.slopes[column][:, None] + fine / self.size  # [M, SHARP], never 0
        front, (ahead, sideways) = self.front[column, k][:, None], self.tiles[column, k].T[..., None]
        depth = np.where(front, ahead - 0.5 + EYE_SETBACK, (sideways - 0.5 * np.sign(sideways)) / slopes)
        along = (
            np.where(front, slopes * depth - sideways, depth - EYE_SETBACK - ahead) + 0.5
        )  # of the wall, from the left
        along = np.where(front | (sideways < 0), along, 1 - along).clip(0, 1 - 1e-6)
        heights = 1 - (2 * np.arange(self.size * SUPERSAMPLING) + 1) / (
            self.size * SUPERSAMPLING
        )  # of the rows' slopes, from the top
        up = heights[None, :, None] * depth[:, None]  # [M, rows, SHARP], in tiles, from the eye
        across = (along * TEXTURE_SIZE).astype(int)[:, None]
        down = ((0.5 - up) * TEXTURE_SIZE).clip(0, TEXTURE_SIZE - 1).astype(int)
        shade = np.where(front, 1.0, 0.78)[:, None] / (1 + 0.13 * depth[:, None])
        wall = textures()[texture[:, None, None], down, across] * shade[..., None]
        surface_depth = 0.5 / np.maximum(np.abs(heights), 1e-6)[None, :, None]  # where floor and ceiling are met
        right = slopes[:, None] * surface_depth
        seam = (np.abs((surface_depth - EYE_SETBACK + 0.5) % 1 - 0.5) > 0.46) | (np.abs((right + 0.5) % 1 - 0.5) > 0.46)
        level = np.where(heights[:, None, None] > 0, CEILING, FLOOR) * (1 - 0.25 * seam)[..., None]
        level /= (1 + 0.13 * surface_depth)[..., None]
        pixels = np.where((np.abs(up) < 0.5)[..., None], wall, level)
        pixels = pixels.reshape(len(k), self.size, SUPERSAMPLING, SUPERSAMPLING, 3).mean((2, 3))
        return (255 * pixels + 0.5).astype(np.uint8).transpose(0, 2, 1).reshape(len(k), -1)

    def draw_ball(self, frames, depths, positions, headings, targets) -> None:
        """Draw a ball into frames [N, size, 3, size], column by column, where no wall of these depths [N, size] hides it."""
        down, right = np.divmod(targets, self.side)
        down, right = down - positions // self.side, right - positions % self.side
        ahead = np.choose(headings, [-down, right, down, -right])
        sideways = np.choose(headings, [right, down, -right, -down])
        mazes = np.flatnonzero((ahead > 0) & (np.abs(sideways) <= ahead + 1))
        depth = (ahead[mazes] + EYE_SETBACK)[:, None]
        column, row = self.slopes * depth - sideways[mazes][:, None], -self.slopes * depth  # in tiles, at that depth
        pixel = 2 * depth / self.size
        visible = (depths[mazes] > depth) & (np.abs(column) < 0.3 + pixel)
        n, c = np.nonzero(visible)
        x, y, pixel = column[n, c][:, None], row[n] + 0.12, pixel[n]
        away = np.sqrt(x * x + y * y)
        cover = ((0.3 - away) / pixel + 0.5).clip(0, 1)[:, None]
        light = (1.15 - 1.6 * np.sqrt((x + 0.1) ** 2 + (y - 0.12) ** 2)).clip(0.35, 1)[:, None]
        glare = (1 - np.sqrt((x + 0.1) ** 2 + (y - 0.12) ** 2) / 0.09).clip(0, 1)[:, None]
        colour = 255 * (np.array(TARGET)[:, None] * light * (1 - glare) + glare)
        behind = frames[mazes[n], c]
        frames[mazes[n], c] = behind + cover * (colour - behind) + 0.5


def ray_crossings(slopes: np.ndarray, max_crossings: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tiles that rays enter one after the other, from the eye in tile (0, 0): int [W, K, 2] tiles ahead and to the
    right, float [W, K] depths at which they are entered, bool [W, K] whether through their front."""
    steps = np.arange(max_crossings) + 0.5
    ahead = np.broadcast_to(steps + EYE_SETBACK, (len(slopes), max_crossings))
    with np.errstate(divide="ignore"):
        sideways = steps / np.abs(slopes)[:, None]
    depths = np.concatenate([ahead, sideways], 1)
    order = depths.argsort(1, kind="stable")[:, :max_crossings]
    front = order < max_crossings
    side_sign = np.sign(slopes).astype(int)[:, None]
    tiles = np.stack([front.cumsum(1), (~front).cumsum(1) * side_sign], 2)
    return tiles, np.take_along_axis(depths, order, 1), front
