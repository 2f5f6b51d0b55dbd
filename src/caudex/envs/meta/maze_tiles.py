"""What the tiles of mazes look like, and mazes seen from above."""

from __future__ import annotations

from functools import cache

import numpy as np

TEXTURE_SIZE = 32
"""pixels of a texture's side"""
FLOOR, TARGET, AGENT = (0.36, 0.34, 0.32), (0.95, 0.16, 0.20), (1.0, 0.95, 0.75)


@cache
def textures() -> np.ndarray:
    """float [T, TEXTURE_SIZE, TEXTURE_SIZE, 3] in [0, 1]: bricks, and three others that are landmarks."""
    noise = np.random.default_rng(5).random((4, TEXTURE_SIZE, TEXTURE_SIZE, 1))
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE]
    patterns = [
        ((y % 8 < 1) | ((x + y // 8 % 2 * 8) % 16 < 1), (0.62, 0.40, 0.28), (0.72, 0.68, 0.62)),
        ((y % 16 < 1) | ((x + y // 16 * 8) % 16 < 1), (0.38, 0.52, 0.72), (0.20, 0.28, 0.40)),
        (x % 8 < 1, (0.44, 0.62, 0.30), (0.22, 0.34, 0.16)),
        ((np.abs(x - 15.5) > 13) | (np.abs(y - 15.5) > 13), (0.86, 0.72, 0.32), (0.55, 0.42, 0.16)),
    ]
    return np.stack([np.where(seam[..., None], joint, face) for seam, face, joint in patterns]) * (0.85 + 0.15 * noise)


@cache
def tile_images(pixels: int) -> np.ndarray:
    """uint8 [T + 6, pixels, pixels, 3], from above: floor, the walls, floor with the target, and floor with the agent looking
    north, east, south, west. `pixels` divides TEXTURE_SIZE."""
    y, x = (np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] + 0.5) / TEXTURE_SIZE - 0.5
    edge = (np.maximum(np.abs(x), np.abs(y)) > 0.46)[..., None]
    floor = np.where(edge, 0.75, 1) * FLOOR
    ball = np.where((np.hypot(x, y) < 0.36)[..., None], TARGET, floor)
    arrow = np.where(((np.abs(x) < 0.5 * (y + 0.42)) & (y < 0.38))[..., None], AGENT, floor)
    patterns = [floor, *textures(), ball, *(np.rot90(arrow, -turn) for turn in range(4))]
    factor = TEXTURE_SIZE // pixels
    small = np.stack(patterns).reshape(len(patterns), pixels, factor, pixels, factor, 3).mean((2, 4))
    return (255 * small + 0.5).astype(np.uint8)


def render_above(
    walls: np.ndarray, positions: np.ndarray, headings: np.ndarray, targets: np.ndarray, pixels: int
) -> np.ndarray:
    """uint8 [N, 3, S pixels, S pixels]: whole mazes uint8 [N, S, S], north up; the rest as in `render_around`."""
    tile_indices, rows = walls.reshape(len(walls), -1).copy(), np.arange(len(walls))
    tile_indices[rows, targets] = len(textures()) + 1
    tile_indices[rows, positions] = len(textures()) + 2 + headings
    return compose_tiles(tile_indices.reshape(walls.shape), pixels)


def render_around(
    walls: np.ndarray, positions: np.ndarray, headings: np.ndarray, targets: np.ndarray, reach: int, pixels: int
) -> np.ndarray:
    """uint8 [N, 3, W, W], W = (2 reach + 1) pixels: what is within `reach` tiles of int [N] positions in the flat mazes,
    rotated so that the heading (int [N]: 0 north, 1 east, 2 south, 3 west) is up. Beyond the maze its rim is repeated."""
    side, headings = walls.shape[1], headings[:, None, None]
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    row = positions[:, None, None] // side + np.choose(headings, [down, right, -down, -right])
    column = positions[:, None, None] % side + np.choose(headings, [right, -down, -right, down])
    flat_positions = row.clip(0, side - 1) * side + column.clip(0, side - 1)
    tile_indices = walls.reshape(-1)[flat_positions + (np.arange(len(walls)) * side * side)[:, None, None]]
    tile_indices[flat_positions == targets[:, None, None]] = len(textures()) + 1
    tile_indices[:, reach, reach] = len(textures()) + 2
    return compose_tiles(tile_indices, pixels)


def compose_tiles(tile_indices: np.ndarray, pixels: int) -> np.ndarray:
    """uint8 [N, 3, H pixels, W pixels] from tile indices [N, H, W]."""
    n, height, width = tile_indices.shape
    images = tile_images(pixels)[tile_indices]  # [N, H, W, pixels, pixels, 3]
    return images.transpose(0, 5, 1, 3, 2, 4).reshape(n, 3, height * pixels, width * pixels)
