"""Sprites: the next frame is computed by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.video.sprites import (
    GROUND_SIDE,
    SPRITE_KINDS,
    SpriteScene,
    render_sprites,
    sample_scene,
    sprite_labels,
    sprite_positions,
)


def one_sprite_scene(kind="disc", radius=0.2, start=(0.5, 0.5), velocity=(0.0, 0.0)):
    """A white sprite on black."""
    return SpriteScene(
        np.array([SPRITE_KINDS.index(kind)]),
        np.array([radius]),
        np.ones((1, 3)),
        np.array([start]),
        np.array([velocity]),
        np.zeros((3, GROUND_SIDE, GROUND_SIDE)),
    )


def test_a_sprite_bounces_where_its_edge_touches_the_wall():
    right = sprite_positions(one_sprite_scene(start=(0.7, 0.5), velocity=(0.05, 0)), np.arange(5))
    assert right[:, 0, 0] == pytest.approx([0.7, 0.75, 0.8, 0.75, 0.7])
    assert right[:, 0, 1] == pytest.approx([0.5] * 5)
    up = sprite_positions(one_sprite_scene(start=(0.5, 0.25), velocity=(0, -0.1)), np.arange(5))
    assert up[:, 0, 1] == pytest.approx([0.25, 0.25, 0.35, 0.45, 0.55])  # 0.05 to the wall at 0.2, and 0.05 back
    there_and_back = sprite_positions(one_sprite_scene(start=(0.3, 0.5), velocity=(0.1, 0)), np.array([0, 12, 24]))
    assert there_and_back[:, 0, 0] == pytest.approx([0.3, 0.3, 0.3])


@given(some.integers(0, 10_000), some.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_the_closed_form_is_what_a_step_by_step_bounce_gives(clip, count):
    shown = sample_scene(clip, 3, count)
    at, velocity, near = shown.starts.copy(), shown.velocities.copy(), shown.radii[:, None]
    for time in range(40):
        assert sprite_positions(shown, np.array([time]))[0] == pytest.approx(at)
        at += velocity
        out = (at < near) | (at > 1 - near)
        velocity[out] *= -1
        at = np.where(at < near, 2 * near - at, np.where(at > 1 - near, 2 * (1 - near) - at, at))


def test_the_next_frame_is_the_scene_with_every_sprite_one_step_further():
    videos = data.make_sprites(clips=3, frames=12, seed=7)
    for clip in range(3):
        shown = sample_scene(clip, 7, 2)
        for time in range(11):
            next_scene = shown._replace(starts=sprite_positions(shown, np.array([time + 1]))[0])
            computed = render_sprites(next_scene, np.array([0]), 32)[0]
            assert (computed.int() - videos[clip, time + 1].int()).abs().max() <= 1
            assert (videos[clip, time].int() - videos[clip, time + 1].int()).abs().max() > 20


@pytest.mark.parametrize("kind", SPRITE_KINDS)
def test_motion_by_parts_of_a_pixel_shows(kind):
    frames = render_sprites(
        one_sprite_scene(kind, start=(0.5, 0.5), velocity=(0.25 / 32, -0.125 / 32)), np.arange(9), 32
    )[:, 0].float()
    mass = frames.sum((1, 2))
    assert mass.std() / mass.mean() < 0.02
    place = torch.arange(32) + 0.5
    x, y = (frames.sum(1) @ place) / mass, (frames.sum(2) @ place) / mass
    assert torch.allclose(x - x[0], 0.25 * torch.arange(9), atol=0.1)
    assert torch.allclose(y - y[0], -0.125 * torch.arange(9), atol=0.1)


@pytest.mark.parametrize("kind, area", [("square", 4), ("disc", np.pi), ("triangle", 2), ("cross", 4 * (1 - 0.7**2))])
def test_sprites_have_their_shapes(kind, area):
    frame = render_sprites(one_sprite_scene(kind, radius=0.25), np.array([0]), 64)[0, 0].float() / 255
    assert frame.sum().item() == pytest.approx(area * 16**2, rel=0.03)
    rows, columns = (frame > 0.5).any(1).nonzero(), (frame > 0.5).any(0).nonzero()
    assert (columns.min(), columns.max(), rows.max()) == (16, 47, 47)
    assert rows.min() in (16, 17)  # a triangle's tip is fainter


def test_a_clip_follows_from_the_seed_and_its_number():
    few, more = data.make_sprites(clips=2, frames=4, seed=1), data.make_sprites(clips=4, frames=6, seed=1)
    assert few.shape == (2, 4, 3, 32, 32)
    assert few.dtype == torch.uint8
    assert torch.equal(few, more[:2, :4])
    assert not torch.equal(few, data.make_sprites(clips=2, frames=4, seed=2))
    assert len({bytes(clip.numpy()) for clip in more}) == 4
    large = data.make_sprites(clips=2, frames=4, side=64, seed=1).float()
    small = torch.nn.functional.avg_pool2d(large.flatten(0, 1), 2).view(2, 4, 3, 32, 32)
    assert (small - few.float()).abs().mean() < 2


def test_the_class_of_a_clip_is_the_kind_of_its_largest_sprite_which_is_in_front():
    kinds = sprite_labels(200, seed=5)
    assert kinds.bincount(minlength=len(SPRITE_KINDS)).min() > 30
    for clip in range(200):
        shown = sample_scene(clip, 5, 3)
        assert kinds[clip] == shown.kinds[0]
        assert shown.radii.argmax() == 0
        assert shown.colours.max(1).min() > 0.9 > 0.25 > shown.ground.max()
    both = SpriteScene(*(np.concatenate([part, part]) for part in one_sprite_scene()[:5]), one_sprite_scene().ground)
    both.colours[1] = 0, 1, 0
    assert render_sprites(both, np.array([0]), 32)[0, :, 16, 16].tolist() == [255, 255, 255]


def test_no_sprites_are_refused():
    with pytest.raises(CaudexError, match="0 sprites, 32 pixels wide, show nothing; each number must be at least 1"):
        data.make_sprites(count=0)
