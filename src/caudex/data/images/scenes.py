"""Rendered 3D scenes with exact segments and depth for every pixel."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.data.images.batches import Batches
from caudex.data.images.image_set import ImageSet, InMemoryImages, NumberedNames
from caudex.data.images.opening import MIN_SIDE
from caudex.views import Draw

SEGMENTS = ("wall", "ground", "sphere", "box", "cylinder")
MIN_DEPTH, MAX_DEPTH = 1.0, 13.0  # metres; every depth lies between them
FIRST_TEST_SCENE = 1 << 40  # number of the first scene that is held out; no training set reaches it
SOLIDS_PER_SHAPE = 2  # at most
VIEW_TANGENT = 0.5  # tangent of half the angle of view
SCENES_AT_ONCE = 16  # scenes that are rendered at once


class Scenes(NamedTuple):
    """What `make_scenes` returns."""

    images: Tensor  # uint8 [N, 3, H, W]
    segments: Tensor  # uint8 [N, H, W], indices into SEGMENTS
    depth: Tensor  # float32 [N, H, W], metres along the direction in which the camera looks


class SceneBatch(NamedTuple):
    """A batch of scenes. The observation stands first."""

    images: Tensor  # float [B, 3, H, W] in [0, 1]
    segments: Tensor  # int64 [B, H, W]
    depth: Tensor  # float32 [B, H, W]
    index: Tensor  # [B] where each stands in its set


class SceneLayout(NamedTuple):
    """Where things are in S scenes: x to the right, y up from the ground, z ahead; the camera stands above zero.

    Of K = 3 * SOLIDS_PER_SHAPE solids the first third are spheres, then boxes, then cylinders.
    """

    height: Tensor  # [S] of the camera
    pitch: Tensor  # [S] radians by which it looks down
    wall: Tensor  # [S] metres to the wall
    wall_angle: Tensor  # [S] radians by which the wall is rotated away
    centres: Tensor  # [S, K, 3]
    half_sizes: Tensor  # [S, K, 3] half of each solid's size
    present: Tensor  # bool [S, K]
    light: Tensor  # [S, 3] towards it, of length 1


class SceneBatches(Batches):
    """Endless shuffled batches of `size` scenes of a set, as `Batches` makes them of images."""

    def __init__(self, scenes: Scenes, size: int, seed: int = 0):
        count = len(scenes.images)
        unlabelled = torch.full((count,), -1)
        super().__init__(
            ImageSet(InMemoryImages(scenes.images, NumberedNames("scenes", count)), unlabelled, ()), size, seed
        )
        self.scenes = scenes

    def _make_batch(self, index: Tensor, images: Tensor) -> SceneBatch:
        return SceneBatch(images, self.scenes.segments[index].long(), self.scenes.depth[index], index)


def make_scenes(count: int, side: int = 48, seed: int = 0, first: int = 0) -> Scenes:
    """Scenes number `first` to `first + count`, each a function of (seed, its number) alone; from
    FIRST_TEST_SCENE on they are for the test.

    On textured ground before a textured wall stand up to two spheres, boxes and upright cylinders each. Colours,
    textures and sizes are independent of the shape, so that only its shape tells what a solid is; height and pitch of the
    camera and the distance of the wall vary, so that a pixel's position does not tell its depth.
    """
    if count < 1 or side < MIN_SIDE:
        raise CaudexError(
            f"{count:,} scenes of {side} x {side} pixels cannot be rendered; give one or more, of at least "
            f"{MIN_SIDE} x {MIN_SIDE}."
        )
    numbers = torch.arange(first, first + count).split(SCENES_AT_ONCE)
    parts = [_render(Draw(derive_seed(seed, "scenes"), 0, part), side) for part in numbers]
    return Scenes(*map(torch.cat, zip(*parts)))


def _render(draw: Draw, side: int) -> tuple[Tensor, Tensor, Tensor]:
    layout = sample_layout(draw)
    origins, rays = camera_rays(layout, side)
    depth, surfaces = cast_rays(layout, origins, rays)
    images = shade(layout, draw, origins + depth[:, None] * rays, surfaces)
    return tuple(pixels.unflatten(-1, (side, side)) for pixels in (images, segments_of(surfaces).byte(), depth))


def sample_layout(draw: Draw) -> SceneLayout:
    """A random layout: the ground in view has six cells in two rows, each with at most one solid."""
    solids = 3 * SOLIDS_PER_SHAPE
    height, pitch = draw.uniform(low=1.2, high=1.8), draw.uniform(low=0.1, high=0.45)
    wall, wall_angle = draw.uniform(low=5.0, high=8.0), draw.uniform(low=-0.4, high=0.4)
    cells = draw.uniform(solids).argsort(1)  # [S, K]
    lateral = (cells % 3 + draw.uniform(solids, low=0.2, high=0.8)) * (2 / 3) - 1  # [S, K] from the left to the right
    forward = torch.where(cells < 3, draw.uniform(solids, low=0.4, high=0.55), draw.uniform(solids, low=0.65, high=0.8))
    x = VIEW_TANGENT * lateral
    z = (
        forward * (wall / wall_angle.cos())[:, None] / (1 + x * wall_angle.tan()[:, None])
    )  # a share of the way to the wall
    half_sizes = draw.uniform(solids, 3, low=0.25, high=0.6)
    spheres, _, cylinders = half_sizes.split(SOLIDS_PER_SHAPE, 1)
    spheres[..., 1:] = spheres[..., :1]
    cylinders[..., 2] = cylinders[..., 0]
    light = torch.stack([draw.uniform(low=-1.0), draw.uniform(low=0.7, high=1.3), draw.uniform(low=-1.0, high=0.0)], 1)
    centres = torch.stack([x * z, half_sizes[..., 1], z], 2)
    present = draw.uniform(solids) < 0.7
    return SceneLayout(
        height, pitch, wall, wall_angle, centres, half_sizes, present, light / light.norm(dim=1, keepdim=True)
    )


# --- geometry: one more axis of rays, P, stands last ---------------------------------------------------------------


def camera_rays(layout: SceneLayout, side: int) -> tuple[Tensor, Tensor]:
    """Positions of the cameras, [S, 3, 1], and directions of the pixels' rays, [S, 3, P].

    Each ray goes one metre in the direction in which the camera looks, so that its multiples are depths.
    """
    tangents = VIEW_TANGENT * ((torch.arange(side) + 0.5) * (2 / side) - 1)
    down, right = (axis.flatten() for axis in torch.meshgrid(tangents, tangents, indexing="ij"))  # [P]
    cos, sin = layout.pitch.cos()[:, None], layout.pitch.sin()[:, None]
    rays = torch.stack([right.expand(len(cos), -1), -down * cos - sin, cos - down * sin], 1)
    zero = torch.zeros_like(layout.height)
    return torch.stack([zero, layout.height, zero], 1)[..., None], rays


def cast_rays(layout: SceneLayout, origins: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Depth [S, P] of the nearest surface that each pixel sees, and which it is, int64 [S, P]: 0 the wall, 1 the
    ground, 2 and more the solids."""
    wall_component = (rays * _wall_normal(layout)[..., None]).sum(1)  # [S, P]
    wall = torch.where(wall_component > 0, layout.wall[:, None] / wall_component, torch.inf)
    ground = torch.where(rays[:, 1] < 0, layout.height[:, None] / -rays[:, 1], torch.inf)
    distances = torch.cat(
        [wall[:, None], ground[:, None], distances_to_solids(layout, origins, rays)], 1
    )  # [S, 2 + K, P]
    nearest = distances.min(1)
    return nearest.values, nearest.indices


def distances_to_solids(layout: SceneLayout, origins: Tensor, rays: Tensor) -> Tensor:
    """Distance to each solid in multiples of the ray, [S, K, P]; inf where the ray misses it. `origins` [S, 3, P or 1]."""
    half_sizes = layout.half_sizes[..., None]  # measured in these, every solid has a radius of one
    origins = (origins[:, None] - layout.centres[..., None]) / half_sizes  # [S, K, 3, P or 1]
    rays = rays[:, None] / half_sizes
    shapes = zip(
        (hit_sphere, hit_box, hit_cylinder), origins.split(SOLIDS_PER_SHAPE, 1), rays.split(SOLIDS_PER_SHAPE, 1)
    )
    distances = torch.cat([shape(origin, ray) for shape, origin, ray in shapes], 1)
    return torch.where(layout.present[..., None], distances, torch.inf)


def hit_sphere(origins: Tensor, rays: Tensor) -> Tensor:
    """Distance to a sphere of radius one around zero. [..., 3, P] to [..., P], as the other shapes."""
    return _entry_distance(*_unit_ball_interval(origins, rays))


def hit_box(origins: Tensor, rays: Tensor) -> Tensor:
    """Distance to a box from -1 to 1 on each axis (Kay and Kajiya 1986, section 2)."""
    return _entry_distance(*_slab_interval(origins, rays))


def hit_cylinder(origins: Tensor, rays: Tensor) -> Tensor:
    """Distance to an upright cylinder of radius one, from -1 to 1: the slab intersected with the endless cylinder."""
    low, high = _slab_interval(origins[..., 1:2, :], rays[..., 1:2, :])
    enter, leave = _unit_ball_interval(origins[..., ::2, :], rays[..., ::2, :])
    return _entry_distance(torch.maximum(low, enter), torch.minimum(high, leave))


def _slab_interval(origins: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    low, high = (-1 - origins) / rays, (1 - origins) / rays
    return torch.minimum(low, high).amax(-2), torch.maximum(low, high).amin(-2)


def _unit_ball_interval(origins: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """The roots of |origin + t ray| = 1; nan where there are none."""
    a, b, c = (rays * rays).sum(-2), (origins * rays).sum(-2), (origins * origins).sum(-2) - 1
    root = (b * b - a * c).sqrt()
    return (-b - root) / a, (-b + root) / a


def _entry_distance(enter: Tensor, leave: Tensor) -> Tensor:
    return torch.where((enter <= leave) & (enter > 0), enter, torch.inf)  # false for nan


def _wall_normal(layout: SceneLayout) -> Tensor:
    """[S, 3], away from the camera"""
    return torch.stack([layout.wall_angle.sin(), torch.zeros_like(layout.wall_angle), layout.wall_angle.cos()], 1)


def segments_of(surfaces: Tensor) -> Tensor:
    """The index into SEGMENTS of each surface."""
    return torch.where(surfaces < 2, surfaces, 2 + (surfaces - 2) // SOLIDS_PER_SHAPE)


def surface_normals(layout: SceneLayout, points: Tensor, surfaces: Tensor) -> Tensor:
    """Unit normals [S, 3, P] of the surfaces [S, P] at points [S, 3, P] on them."""
    solid = (surfaces - 2).clamp_min(0)
    local = (points - _gather_per_pixel(layout.centres, solid)) / _gather_per_pixel(layout.half_sizes, solid)
    size, up = local.abs(), torch.tensor([[0.0], [1.0], [0.0]])
    radial = local * (1 - up)
    face = torch.where(size == size.amax(1, keepdim=True), local, 0)
    cap = torch.where(size[:, 1:2] > radial.norm(dim=1, keepdim=True), local * up, radial)
    segment, normal = segments_of(surfaces)[:, None], local
    by_segment = [-_wall_normal(layout)[..., None], up, local, face, cap]  # in the order of SEGMENTS
    for k, segment_normal in enumerate(by_segment):
        normal = torch.where(segment == k, segment_normal, normal)
    return normal / normal.norm(dim=1, keepdim=True)


def _gather_per_pixel(attributes: Tensor, surfaces: Tensor) -> Tensor:
    """Attributes of surfaces, [S, surfaces, C], at the pixels [S, P] that show them: [S, C, P]."""
    attributes = attributes.transpose(1, 2)
    return attributes.gather(2, surfaces[:, None].expand(-1, attributes.shape[1], -1))


# --- colour --------------------------------------------------------------------------------------------------------


def shade(layout: SceneLayout, draw: Draw, points: Tensor, surfaces: Tensor) -> Tensor:
    """uint8 [S, 3, P]: each surface in two colours that alternate in stripes or checks through space, or in one; lit
    by one light (Lambert's law) that casts shadows; with some noise."""
    count = 2 + 3 * SOLIDS_PER_SHAPE
    colours, phases = draw.uniform(count, 6, low=0.1), draw.uniform(count, 2, high=6.3)
    waves = draw.normal(count, 2, 3)
    waves = waves / waves.norm(dim=3, keepdim=True) / draw.uniform(count, 2, 1, low=0.08, high=0.25)
    pattern = draw.integers(3, count)[..., None].float()
    textures = _gather_per_pixel(torch.cat([colours, waves.flatten(2), phases, pattern], 2), surfaces)  # [S, 15, P]
    colour, other_colour, wave, cross_wave, phases, pattern = textures.split([3, 3, 3, 3, 2, 1], 1)
    stripes = ((wave * points).sum(1, keepdim=True) + phases[:, :1]).sin()  # [S, 1, P]
    checks = stripes * ((cross_wave * points).sum(1, keepdim=True) + phases[:, 1:]).sin()
    mix = (8 * torch.where(pattern == 1, stripes, checks)).sigmoid() * (pattern > 0)
    normal, light = surface_normals(layout, points, surfaces), layout.light[..., None]
    is_lit = distances_to_solids(layout, points + 1e-3 * normal, light.expand_as(points)).amin(1, keepdim=True).isinf()
    brightness = 0.4 + 0.6 * (normal * light).sum(1, keepdim=True).clamp_min(0) * is_lit
    images = torch.lerp(colour, other_colour, mix) * brightness + 0.02 * draw.normal(*points.shape[1:])
    return (images * 255).round_().clamp_(0, 255).byte()
