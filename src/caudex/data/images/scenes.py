"""Small scenes in three dimensions: of every pixel it is known what it shows and how far away that is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.data.images.batches import Batches
from caudex.data.images.decode import SMALLEST_SIDE
from caudex.data.images.image_set import ImageSet, InMemoryImages, Numbered
from caudex.views import Draw

SEGMENTS = ("wall", "ground", "sphere", "box", "cylinder")
NEAR, FAR = 1.0, 13.0  # metres; between them lies every depth
TEST = 1 << 40  # number of the first scene that is held out; no training set reaches it
EACH = 2  # places for solids of each shape
VIEW = 0.5  # tangent of half the angle of view
PART = 16  # scenes that are rendered at once


class Scenes(NamedTuple):
    """What `scenes` makes."""

    images: Tensor  # uint8 [N, 3, H, W]
    segments: Tensor  # uint8 [N, H, W], places in SEGMENTS
    depth: Tensor  # float32 [N, H, W], metres along the direction in which the camera looks


class Scene(NamedTuple):
    """A batch of scenes. The observation stands first."""

    images: Tensor  # float [B, 3, H, W] in [0, 1]
    segments: Tensor  # int64 [B, H, W]
    depth: Tensor  # float32 [B, H, W]
    index: Tensor  # [B] where each stands in its set


class Layout(NamedTuple):
    """Where things are in S scenes: x to the right, y up from the ground, z ahead; the camera stands above zero.

    Of K = 3 * EACH solids the first EACH are spheres, then boxes, then cylinders.
    """

    height: Tensor  # [S] of the camera
    pitch: Tensor  # [S] radians by which it looks down
    wall: Tensor  # [S] metres to the wall
    facing: Tensor  # [S] radians by which the wall is turned away
    centres: Tensor  # [S, K, 3]
    halves: Tensor  # [S, K, 3] half of each solid's size
    there: Tensor  # bool [S, K]
    light: Tensor  # [S, 3] towards it, of length 1


class SceneBatches(Batches):
    """Endless shuffled batches of `size` scenes of a set, as `Batches` makes them of images."""

    def __init__(self, scenes: Scenes, size: int, seed: int = 0):
        count = len(scenes.images)
        nobody = torch.full((count,), -1)
        super().__init__(ImageSet(InMemoryImages(scenes.images, Numbered("scenes", count)), nobody, ()), size, seed)
        self.scenes = scenes

    def _batch(self, index: Tensor, images: Tensor) -> Scene:
        return Scene(images, self.scenes.segments[index].long(), self.scenes.depth[index], index)


def load_scenes(count: int, side: int = 48, seed: int = 0, first: int = 0) -> Scenes:
    """Scenes number `first` to `first + count`, each a function of (seed, its number) alone; from TEST on they are
    for the test.

    On textured ground before a textured wall stand up to two spheres, boxes and upright cylinders each. Colours,
    textures and sizes are drawn without regard to what has them, so that only its shape tells what a solid is; height
    and pitch of the camera and place of the wall vary, so that a pixel's place does not tell its depth.
    """
    if count < 1 or side < SMALLEST_SIDE:
        raise CaudexError(
            f"{count:,} scenes of {side} x {side} pixels cannot be made; ask for one or more, of at least "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE}."
        )
    numbers = torch.arange(first, first + count).split(PART)
    parts = [_render(Draw(derive_seed(seed, "scenes"), 0, part), side) for part in numbers]
    return Scenes(*map(torch.cat, zip(*parts)))


def _render(draw: Draw, side: int) -> tuple[Tensor, Tensor, Tensor]:
    layout = arrange(draw)
    eye, rays = camera(layout, side)
    depth, surfaces = cast(layout, eye, rays)
    images = paint(layout, draw, eye + depth[:, None] * rays, surfaces)
    return tuple(each.unflatten(-1, (side, side)) for each in (images, kinds(surfaces).byte(), depth))


def arrange(draw: Draw) -> Layout:
    """Solids stand in the six cells, three beside each other, that the ground in view has before the wall."""
    solids = 3 * EACH
    height, pitch = draw.uniform(low=1.2, high=1.8), draw.uniform(low=0.1, high=0.45)
    wall, facing = draw.uniform(low=5.0, high=8.0), draw.uniform(low=-0.4, high=0.4)
    cells = draw.uniform(solids).argsort(1)  # [S, K]
    across = (cells % 3 + draw.uniform(solids, low=0.2, high=0.8)) * (2 / 3) - 1  # [S, K] from the left to the right
    ahead = torch.where(cells < 3, draw.uniform(solids, low=0.4, high=0.55), draw.uniform(solids, low=0.65, high=0.8))
    x = VIEW * across
    z = ahead * (wall / facing.cos())[:, None] / (1 + x * facing.tan()[:, None])  # a share of the way to the wall
    halves = draw.uniform(solids, 3, low=0.25, high=0.6)
    spheres, _, cylinders = halves.split(EACH, 1)
    spheres[..., 1:] = spheres[..., :1]
    cylinders[..., 2] = cylinders[..., 0]
    light = torch.stack([draw.uniform(low=-1.0), draw.uniform(low=0.7, high=1.3), draw.uniform(low=-1.0, high=0.0)], 1)
    centres = torch.stack([x * z, halves[..., 1], z], 2)
    there = draw.uniform(solids) < 0.7
    return Layout(height, pitch, wall, facing, centres, halves, there, light / light.norm(dim=1, keepdim=True))


# --- geometry: one more axis of rays, P, stands last ---------------------------------------------------------------


def camera(layout: Layout, side: int) -> tuple[Tensor, Tensor]:
    """Where the eyes are, [S, 3, 1], and where the pixels look, [S, 3, P].

    Each ray goes one metre in the direction in which the camera looks, so that its multiples are depths.
    """
    places = VIEW * ((torch.arange(side) + 0.5) * (2 / side) - 1)
    down, right = (each.flatten() for each in torch.meshgrid(places, places, indexing="ij"))  # [P]
    cos, sin = layout.pitch.cos()[:, None], layout.pitch.sin()[:, None]
    rays = torch.stack([right.expand(len(cos), -1), -down * cos - sin, cos - down * sin], 1)
    zero = torch.zeros_like(layout.height)
    return torch.stack([zero, layout.height, zero], 1)[..., None], rays


def cast(layout: Layout, eye: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Depth [S, P] of the nearest surface that each pixel sees, and which it is, int64 [S, P]: 0 the wall, 1 the
    ground, 2 and more the solids."""
    towards = (rays * _wall_normal(layout)[..., None]).sum(1)  # [S, P]
    wall = torch.where(towards > 0, layout.wall[:, None] / towards, torch.inf)
    ground = torch.where(rays[:, 1] < 0, layout.height[:, None] / -rays[:, 1], torch.inf)
    distances = torch.cat([wall[:, None], ground[:, None], meet(layout, eye, rays)], 1)  # [S, 2 + K, P]
    nearest = distances.min(1)
    return nearest.values, nearest.indices


def meet(layout: Layout, origins: Tensor, rays: Tensor) -> Tensor:
    """How many rays away each solid begins, [S, K, P]; inf where it is missed. `origins` [S, 3, P or 1]."""
    halves = layout.halves[..., None]  # measured in these, every solid has a radius of one
    origins = (origins[:, None] - layout.centres[..., None]) / halves  # [S, K, 3, P or 1]
    rays = rays[:, None] / halves
    shapes = zip((sphere, box, cylinder), origins.split(EACH, 1), rays.split(EACH, 1))
    distances = torch.cat([shape(begin, ray) for shape, begin, ray in shapes], 1)
    return torch.where(layout.there[..., None], distances, torch.inf)


def sphere(origins: Tensor, rays: Tensor) -> Tensor:
    """Of radius one around zero. [..., 3, P] to [..., P], as the other shapes."""
    return _first(*_round(origins, rays))


def box(origins: Tensor, rays: Tensor) -> Tensor:
    """From -1 to 1 on each axis (Kay and Kajiya 1986, section 2)."""
    return _first(*_slabs(origins, rays))


def cylinder(origins: Tensor, rays: Tensor) -> Tensor:
    """Upright, of radius one, from -1 to 1: what is within the slab and within the endless cylinder."""
    low, high = _slabs(origins[..., 1:2, :], rays[..., 1:2, :])
    enter, leave = _round(origins[..., ::2, :], rays[..., ::2, :])
    return _first(torch.maximum(low, enter), torch.minimum(high, leave))


def _slabs(origins: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    one, other = (-1 - origins) / rays, (1 - origins) / rays
    return torch.minimum(one, other).amax(-2), torch.maximum(one, other).amin(-2)


def _round(origins: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """The roots of |origin + t ray| = 1; nan where there are none."""
    a, b, c = (rays * rays).sum(-2), (origins * rays).sum(-2), (origins * origins).sum(-2) - 1
    root = (b * b - a * c).sqrt()
    return (-b - root) / a, (-b + root) / a


def _first(enter: Tensor, leave: Tensor) -> Tensor:
    return torch.where((enter <= leave) & (enter > 0), enter, torch.inf)  # false for nan


def _wall_normal(layout: Layout) -> Tensor:
    """[S, 3], away from the camera"""
    return torch.stack([layout.facing.sin(), torch.zeros_like(layout.facing), layout.facing.cos()], 1)


def kinds(surfaces: Tensor) -> Tensor:
    """Which of SEGMENTS each surface is."""
    return torch.where(surfaces < 2, surfaces, 2 + (surfaces - 2) // EACH)


def normals(layout: Layout, points: Tensor, surfaces: Tensor) -> Tensor:
    """Away from the surfaces [S, P] at points [S, 3, P] on them: [S, 3, P] of length one."""
    solid = (surfaces - 2).clamp_min(0)
    local = (points - _worn(layout.centres, solid)) / _worn(layout.halves, solid)
    size, up = local.abs(), torch.tensor([[0.0], [1.0], [0.0]])
    beside = local * (1 - up)
    face = torch.where(size == size.amax(1, keepdim=True), local, 0)
    lid = torch.where(size[:, 1:2] > beside.norm(dim=1, keepdim=True), local * up, beside)
    kind, normal = kinds(surfaces)[:, None], local
    for k, other in enumerate([-_wall_normal(layout)[..., None], up, local, face, lid]):  # in the order of SEGMENTS
        normal = torch.where(kind == k, other, normal)
    return normal / normal.norm(dim=1, keepdim=True)


def _worn(each: Tensor, surfaces: Tensor) -> Tensor:
    """What surfaces have, [S, surfaces, C], where pixels [S, P] show them: [S, C, P]."""
    each = each.transpose(1, 2)
    return each.gather(2, surfaces[:, None].expand(-1, each.shape[1], -1))


# --- colour --------------------------------------------------------------------------------------------------------


def paint(layout: Layout, draw: Draw, points: Tensor, surfaces: Tensor) -> Tensor:
    """uint8 [S, 3, P]: each surface in two colours that alternate in stripes or checks through space, or in one; lit
    by one light (Lambert's law) that casts shadows; with some noise."""
    count = 2 + 3 * EACH
    colours, phases = draw.uniform(count, 6, low=0.1), draw.uniform(count, 2, high=6.3)
    waves = draw.normal(count, 2, 3)
    waves = waves / waves.norm(dim=3, keepdim=True) / draw.uniform(count, 2, 1, low=0.08, high=0.25)
    pattern = draw.integers(3, count)[..., None].float()
    coats = _worn(torch.cat([colours, waves.flatten(2), phases, pattern], 2), surfaces)  # [S, 15, P]
    colour, other, wave, across, phases, pattern = coats.split([3, 3, 3, 3, 2, 1], 1)
    stripes = ((wave * points).sum(1, keepdim=True) + phases[:, :1]).sin()  # [S, 1, P]
    checks = stripes * ((across * points).sum(1, keepdim=True) + phases[:, 1:]).sin()
    share = (8 * torch.where(pattern == 1, stripes, checks)).sigmoid() * (pattern > 0)
    normal, light = normals(layout, points, surfaces), layout.light[..., None]
    lit = meet(layout, points + 1e-3 * normal, light.expand_as(points)).amin(1, keepdim=True).isinf()
    brightness = 0.4 + 0.6 * (normal * light).sum(1, keepdim=True).clamp_min(0) * lit
    images = torch.lerp(colour, other, share) * brightness + 0.02 * draw.normal(*points.shape[1:])
    return (images * 255).round_().clamp_(0, 255).byte()
