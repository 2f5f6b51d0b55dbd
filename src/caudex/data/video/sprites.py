"""Sprites that move and bounce: videos whose next frame is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from caudex.core.errors import CaudexError

SPRITE_KINDS = ("square", "disc", "triangle", "cross")
GROUND_SIDE = 6  # the ground is an image of 6 x 6, enlarged


class SpriteScene(NamedTuple):
    """Everything that a clip shows. Lengths are parts of the image's side, so that a larger image shows the same."""

    kinds: np.ndarray  # [S] indices into SPRITE_KINDS
    radii: np.ndarray  # [S] half the side of the square around each sprite
    colours: np.ndarray  # [S, 3] in [0, 1]
    starts: np.ndarray  # [S, 2] x and y of the centres in frame 0
    velocities: np.ndarray  # [S, 2] a frame
    ground: np.ndarray  # [3, GROUND_SIDE, GROUND_SIDE] in [0, 1]


def make_sprites(clips: int = 500, frames: int = 20, side: int = 32, seed: int = 0, count: int = 2) -> Tensor:
    """uint8 [clips, frames, 3, side, side]: `count` bright sprites that cross a dark ground and bounce off its edges.

    The first is larger than the others and passes in front of them; its kind is the class of the clip (`sprite_labels`).
    Clip i follows from `seed` and i alone; another sprite leaves the others unchanged.
    """
    if min(clips, frames, side, count) < 1:
        raise CaudexError(
            f"{clips} clips of {frames} frames with {count} sprites, {side} pixels wide, show nothing; "
            "each number must be at least 1."
        )
    videos = torch.empty(clips, frames, 3, side, side, dtype=torch.uint8)
    for clip in range(clips):
        videos[clip] = render_sprites(sample_scene(clip, seed, count), np.arange(frames), side)
    return videos


def sprite_labels(clips: int = 500, seed: int = 0) -> Tensor:
    """int64 [clips]: the class of each clip: the index into SPRITE_KINDS of its first sprite."""
    return torch.tensor([int(sample_scene(clip, seed, 1).kinds[0]) for clip in range(clips)])


def sample_scene(clip: int, seed: int, count: int) -> SpriteScene:
    """What the clip of that number shows."""
    noise = np.random.default_rng([seed, clip])
    ground = noise.uniform(0.02, 0.22, (3, GROUND_SIDE, GROUND_SIDE))
    kind, size, hue, paleness, x, y, speed, angle = noise.random((count, 8)).T
    is_first = np.arange(count) == 0
    radii = np.where(is_first, 0.17 + 0.06 * size, 0.10 + 0.04 * size)
    hues = np.clip(np.abs((6 * hue[:, None] + [0, 4, 2]) % 6 - 3) - 1, 0, 1)
    starts = radii[:, None] + np.stack([x, y], 1) * (1 - 2 * radii[:, None])
    headings = np.stack([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)], 1)
    return SpriteScene(
        (kind * len(SPRITE_KINDS)).astype(np.int64),
        radii,
        1 - (1 - 0.5 * paleness[:, None]) * (1 - hues),
        starts,
        (0.02 + 0.06 * speed[:, None]) * headings,
        ground,
    )


def sprite_positions(scene: SpriteScene, times: np.ndarray) -> np.ndarray:
    """[T, S, 2]: x and y of the centres at any times: a straight path, folded where a sprite touches an edge."""
    radii = scene.radii[:, None]
    free_length = 1 - 2 * radii
    travelled = (scene.starts - radii + scene.velocities * np.asarray(times)[:, None, None]) % (2 * free_length)
    return radii + np.minimum(travelled, 2 * free_length - travelled)


def render_sprites(scene: SpriteScene, times: np.ndarray, side: int) -> Tensor:
    """uint8 [T, 3, side, side]: the scene at these times, which may lie between two frames.

    A pixel that an outline crosses is covered in part, so that less than a pixel of motion shows.
    """
    ground = torch.from_numpy(scene.ground).float()[None]
    frames = interpolate(ground, (side, side), mode="bilinear", align_corners=True).repeat(len(times), 1, 1, 1)
    centres = torch.from_numpy(sprite_positions(scene, times) * side).float()  # [T, S, 2] in pixels
    pixels = torch.arange(side) + 0.5
    for sprite in reversed(range(len(scene.kinds))):
        x = (pixels - centres[:, sprite, :1])[:, None, None, :]  # [T, 1, 1, W] from the centre to the right
        y = (pixels - centres[:, sprite, 1:])[:, None, :, None]  # [T, 1, H, 1] downwards
        distance = _signed_distance(SPRITE_KINDS[scene.kinds[sprite]], x, y, float(scene.radii[sprite] * side))
        covered = (0.5 - distance).clamp_(0, 1)  # [T, 1, H, W]
        colour = torch.from_numpy(scene.colours[sprite]).float().view(3, 1, 1)
        frames = torch.lerp(frames, colour, covered)
    return frames.mul_(255).round_().byte()


def _signed_distance(kind: str, x: Tensor, y: Tensor, radius: float) -> Tensor:
    """Distance of each pixel from a sprite's outline, negative inside it; a pixel at 0 is half covered."""
    if kind == "disc":
        return (x.square() + y.square()).sqrt() - radius
    if kind == "triangle":  # its base as wide as it is high; a slanting outline crosses more pixels than a straight one
        return torch.maximum(y - radius, (2 * x.abs() - y - radius) / 3)
    x, y = x.abs(), y.abs()
    if kind == "square":
        return torch.maximum(x, y) - radius
    arm = 0.3 * radius
    return torch.minimum(torch.maximum(x - radius, y - arm), torch.maximum(y - radius, x - arm))
