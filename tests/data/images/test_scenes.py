"""Scenes: what a pixel shows and how far away it is agree with geometry."""

import math

import pytest
import torch
from helpers.comparison import tensors_equal
from pytest import approx
from sklearn.linear_model import LogisticRegression

from caudex.core.errors import CaudexError
from caudex.data.images.scenes import (
    FIRST_TEST_SCENE,
    MAX_DEPTH,
    MIN_DEPTH,
    SEGMENTS,
    VIEW_TANGENT,
    SceneBatches,
    SceneLayout,
    camera_rays,
    cast_rays,
    make_scenes,
    sample_layout,
    segments_of,
    shade,
    surface_normals,
)
from caudex.views import Draw

SPHERE, BOX, CYLINDER = 0, 2, 4  # the first place of each among the solids

SIDE = 33  # odd: the middle pixel looks straight ahead


def one_scene(solids, pitch=0.0, wall_angle=0.0):
    """Of `solids`, place to (centre, half of the size); the camera at a height of one, the wall after ten metres."""
    centres, half_sizes, present = torch.zeros(1, 6, 3), torch.ones(1, 6, 3), torch.zeros(1, 6, dtype=torch.bool)
    for place, (centre, half) in solids.items():
        centres[0, place], half_sizes[0, place], present[0, place] = torch.tensor(centre), torch.tensor(half), True
    numbers = (torch.tensor([float(number)]) for number in (1, pitch, 10, wall_angle))
    return SceneLayout(*numbers, centres, half_sizes, present, torch.tensor([[0.0, 1.0, 0.0]]))


def cast_labels(layout):
    """Depth and segments, [H, W], of one scene."""
    depth, surfaces = cast_rays(layout, *camera_rays(layout, SIDE))
    return depth.view(SIDE, SIDE), segments_of(surfaces).view(SIDE, SIDE)


def cast_random_scenes(count=20):
    layout = sample_layout(Draw(0, 0, torch.arange(count)))
    eye, rays = camera_rays(layout, 24)
    depth, surfaces = cast_rays(layout, eye, rays)
    return layout, rays, depth, surfaces, eye + depth[:, None] * rays


# -- geometry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place, name", [(SPHERE, "sphere"), (BOX, "box"), (CYLINDER, "cylinder")])
def test_what_stands_straight_ahead_begins_half_its_size_before_its_centre(place, name):
    depth, segments = cast_labels(one_scene({place: ((0.0, 1.0, 5.0), (0.5, 0.5, 0.5))}))
    assert depth[16, 16] == approx(4.5, abs=1e-5)
    assert segments[16, 16] == SEGMENTS.index(name)
    assert segments[0, 0] == SEGMENTS.index("wall")
    assert segments[32, 32] == SEGMENTS.index("ground")


def test_silhouettes_are_those_of_the_shapes():
    # half a metre at 4.5 m is 0.111; a pixel is 1 / 33 wide: 3.67 pixels to each side of the middle
    square = cast_labels(one_scene({BOX: ((0.0, 1.0, 5.0), (0.5, 0.5, 0.5))}))[1] == SEGMENTS.index("box")
    assert torch.equal(square.nonzero().amin(0), torch.tensor([13, 13]))
    assert square[13:20, 13:20].all() and square.sum() == 49
    # the tangent cone of the sphere: tan(asin(0.5 / 5)) = 0.1005, 3.317 pixels; of 37 pixels the middle lies within
    disc = cast_labels(one_scene({SPHERE: ((0.0, 1.0, 5.0), (0.5, 0.5, 0.5))}))[1] == SEGMENTS.index("sphere")
    away = torch.arange(SIDE) - 16
    assert torch.equal(disc, away[:, None] ** 2 + away**2 < 3.317**2)
    # seen from the side a cylinder has the sphere's width at its lids and in its middle
    post = cast_labels(one_scene({CYLINDER: ((0.0, 1.0, 5.0), (0.5, 0.5, 0.5))}))[1] == SEGMENTS.index("cylinder")
    assert post[13:20, 13:20].all() and post.any(0).sum() == 7


def test_the_ground_is_as_far_as_the_height_of_the_camera_says():
    depth, segments = cast_labels(one_scene({}))
    for row in range(20, 33):
        down = VIEW_TANGENT * ((row + 0.5) * 2 / SIDE - 1)
        assert depth[row].tolist() == approx([min(1 / down, 10)] * SIDE, rel=1e-4)
        assert (segments[row] == (down > 0.1)).all()
    assert depth[:17].eq(10).all()


def test_a_camera_that_looks_down_sees_the_ground_before_its_feet():
    depth, _ = cast_labels(one_scene({}, pitch=math.radians(45)))
    assert depth[16, 16] == approx(math.sqrt(2), rel=1e-5)  # straight ahead, from a height of one


def test_a_wall_that_is_turned_away_is_nearer_on_one_side():
    depth, _ = cast_labels(one_scene({}, wall_angle=0.3))
    right = VIEW_TANGENT * (32.5 * 2 / SIDE - 1)
    assert depth[0, 16] == approx(10 / math.cos(0.3), rel=1e-5)
    assert depth[0, 32] == approx(10 / (math.cos(0.3) + right * math.sin(0.3)), rel=1e-5)
    assert depth[0, 0] == approx(10 / (math.cos(0.3) - right * math.sin(0.3)), rel=1e-5)


@pytest.mark.parametrize("near, far", [(SPHERE, CYLINDER), (CYLINDER, SPHERE), (BOX, BOX + 1), (BOX + 1, BOX)])
def test_what_is_nearer_hides_what_is_farther(near, far):
    solids = {near: ((0.0, 1.0, 3.0), (0.5, 0.5, 0.5)), far: ((0.0, 1.0, 7.0), (0.6, 0.6, 0.6))}
    depth, segments = cast_labels(one_scene(solids))
    assert depth[16, 16] == approx(2.5, abs=1e-5)
    assert segments[16, 16] == segments_of(torch.tensor(2 + near))
    depth, segments = cast_labels(one_scene({far: solids[far]}))
    assert depth[16, 16] == approx(6.4, abs=1e-5)
    assert segments[16, 16] == segments_of(torch.tensor(2 + far))


def test_what_stands_nearer_is_larger_and_lower():
    for place in (SPHERE, BOX, CYLINDER):
        near, far = (
            cast_labels(one_scene({place: ((0.0, 0.5, z), (0.5, 0.5, 0.5))}))[1].eq(2 + place // 2).nonzero()
            for z in (3.0, 6)
        )
        assert len(near) > 2 * len(far)
        assert near[:, 0].float().mean() > far[:, 0].float().mean() + 1


def test_what_is_behind_the_camera_is_not_seen():
    assert set(cast_labels(one_scene({SPHERE: ((0.0, 1.0, -5.0), (0.5, 0.5, 0.5))}))[1].unique().tolist()) == {0, 1}


def test_every_pixel_lies_on_the_surface_that_it_shows_and_on_none_behind_another():
    layout, _, depth, surfaces, points = cast_random_scenes()
    local = (points[:, None] - layout.centres[..., None]) / layout.half_sizes[..., None]  # [S, 6, 3, P]
    beside = local[..., ::2, :].norm(dim=-2)
    sizes = [
        local[:, 0:2].norm(dim=2),
        local[:, 2:4].abs().amax(2),
        torch.maximum(beside[:, 4:6], local[:, 4:6, 1].abs()),
    ]
    size = torch.where(layout.present[..., None], torch.cat(sizes, 1), torch.inf)  # 1 on the solid, less within
    assert size.min() > 0.99
    shown = size.gather(1, (surfaces - 2).clamp_min(0)[:, None])[:, 0]
    assert (shown - 1)[surfaces >= 2].abs().max() < 1e-3
    assert points[:, 1][surfaces == 1].abs().max() < 1e-4
    assert points[:, 1].min() > -1e-4
    wall = torch.stack([layout.wall_angle.sin(), layout.wall_angle.cos()], 1)[..., None]
    left = layout.wall[:, None] - (points[:, ::2] * wall).sum(1)  # metres to the wall
    assert left[surfaces == 0].abs().max() < 1e-4
    assert left.min() > -1e-4
    assert depth.min() > MIN_DEPTH and depth.max() < MAX_DEPTH


def test_surfaces_that_are_seen_look_towards_the_camera():
    layout, rays, _, surfaces, points = cast_random_scenes()
    normal = surface_normals(layout, points, surfaces)
    assert torch.allclose(normal.norm(dim=1), torch.ones(()))
    assert (normal * rays).sum(1).max() < 1e-3
    spheres = (surfaces == 2)[:, None]
    out = points - layout.centres[:, SPHERE, :, None]
    assert torch.allclose(normal * spheres, out / layout.half_sizes[:, SPHERE, :, None] * spheres, atol=1e-3)


def test_what_is_below_a_solid_lies_in_its_shadow():
    layout = one_scene({SPHERE: ((0.0, 6.0, 4.0), (0.9, 0.9, 0.9))})  # too high to be seen
    eye, rays = camera_rays(layout, SIDE)
    depth, surfaces = cast_rays(layout, eye, rays)
    points = eye + depth[:, None] * rays
    bare = layout._replace(present=torch.zeros_like(layout.present))
    dark, bright = (shade(each, Draw(0, 0, torch.zeros(1)), points, surfaces).float()[0] for each in (layout, bare))
    shadow = (points[0, ::2] - torch.tensor([[0.0], [4.0]])).norm(dim=0) < 0.9  # the light stands straight above
    assert shadow.any() and (surfaces[0, shadow] == 1).all()
    assert (dark < bright)[:, shadow].all()
    assert torch.equal(dark[:, ~shadow], bright[:, ~shadow])
    assert (dark[:, shadow].mean() / bright[:, shadow].mean()).item() == approx(0.4, abs=0.02)


# -- scenes --------------------------------------------------------------------------------------------------------


def test_a_scene_does_not_depend_on_how_many_are_made():
    many = make_scenes(70, side=16)
    assert tensors_equal(make_scenes(33, side=16), (each[:33] for each in many))
    assert tensors_equal(make_scenes(3, side=16, first=40), (each[40:43] for each in many))
    assert tensors_equal(make_scenes(1, side=16, first=69), (each[69:] for each in many))
    assert not torch.equal(make_scenes(33, side=16, seed=1).images, many.images[:33])


def test_scenes_look_as_they_are_said_to():
    scenes = make_scenes(64, side=24)
    assert scenes.images.shape == (64, 3, 24, 24) and scenes.images.dtype == torch.uint8
    assert scenes.segments.shape == scenes.depth.shape == (64, 24, 24)
    assert scenes.segments.unique().tolist() == list(range(len(SEGMENTS)))
    assert scenes.depth.min() > MIN_DEPTH and scenes.depth.max() < MAX_DEPTH
    assert len(scenes.images.flatten(1).unique(dim=0)) == 64


def test_the_test_has_other_scenes():
    training, test = make_scenes(64, side=16), make_scenes(64, side=16, first=FIRST_TEST_SCENE)
    assert len(torch.cat([training.depth, test.depth]).flatten(1).unique(dim=0)) == 128


def test_a_side_sees_the_same_scene():
    small, large = make_scenes(8, side=16), make_scenes(8, side=48)
    middle = large.depth[:, 1::3, 1::3]  # of each three by three pixels the one in the middle
    assert torch.allclose(small.depth, middle, atol=1e-4)
    assert (small.segments == large.segments[:, 1::3, 1::3]).float().mean() > 0.999


def test_colour_does_not_tell_solids_apart():
    def pixels(scenes):
        kind, rgb = scenes.segments.flatten(), scenes.images.movedim(1, 3).flatten(0, 2).float() / 255
        pixels_by_kind = [(kind == k).nonzero().flatten() for k in (2, 3, 4)]
        rows = torch.cat([place[torch.randperm(len(place))[:5_000]] for place in pixels_by_kind])
        return rgb[rows].numpy(), kind[rows].numpy()

    chance = (
        LogisticRegression()
        .fit(*pixels(make_scenes(400, side=24)))
        .score(*pixels(make_scenes(400, side=24, first=FIRST_TEST_SCENE)))
    )
    assert chance < 1 / 3 + 0.05


def test_no_scenes_cannot_be_made():
    with pytest.raises(CaudexError, match="0 scenes of 48 x 48 pixels cannot be rendered"):
        make_scenes(0)
    with pytest.raises(CaudexError, match="5 scenes of 2 x 2 pixels cannot be rendered"):
        make_scenes(5, side=2)


# -- batches -------------------------------------------------------------------------------------------------------


def test_images_segments_and_depth_belong_together():
    scenes = make_scenes(10, side=16)
    source = SceneBatches(scenes, 5, seed=3)
    batches = [next(source) for _ in range(4)]
    assert torch.cat([batch.index for batch in batches]).bincount().tolist() == [2] * 10
    for batch in batches:
        assert torch.equal((batch.images * 255).round(), scenes.images[batch.index].float())
        assert torch.equal(batch.segments, scenes.segments[batch.index].long())
        assert torch.equal(batch.depth, scenes.depth[batch.index])
    assert source.samples_seen == 20


@pytest.mark.parametrize("before, ahead", [(0, 3), (5, 0), (9, 4)])
def test_a_source_goes_on_exactly_where_it_was(before, ahead):
    scenes = make_scenes(10, side=16)
    source, again = SceneBatches(scenes, 4, seed=5), SceneBatches(scenes, 4, seed=5)
    for _ in range(before):
        next(source)
    for _ in range(ahead):
        next(again)
    again.load_state_dict(source.state_dict())
    assert all(tensors_equal(next(source), next(again)) for _ in range(4))
