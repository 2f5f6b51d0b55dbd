"""The stage: what is rendered stands where the pinhole camera says."""

import numpy as np
import pytest
from pytest import approx

from caudex.core.errors import CaudexError
from caudex.envs import mujoco_camera
from caudex.envs.scenes.randomiser import ROWS, Randomiser
from caudex.envs.scenes.scene import SOLIDS
from caudex.envs.scenes.stage import MuJoCoStage

SIZE = 96


@pytest.fixture(scope="module")
def stage():
    stage = MuJoCoStage(size=SIZE)
    yield stage
    stage.close()


def hull_pixels(scene, size):
    """The rectangle around the object, from its corners by the pinhole camera: left, top, right, bottom."""
    solid = scene.objects[0]
    turn = np.array([[np.cos(solid.yaw), -np.sin(solid.yaw), 0], [np.sin(solid.yaw), np.cos(solid.yaw), 0], [0, 0, 1]])
    corners = (SOLIDS[solid.shape].corners * solid.half_size) @ turn.T + solid.position
    pixels = scene.camera.project(corners, size, size)
    return np.concatenate([pixels.min(0), pixels.max(0)])


@pytest.mark.parametrize("shape", [name for name, solid in SOLIDS.items() if solid.corners is not None])
def test_a_solid_fills_the_pixels_that_its_corners_project_to(stage, shape):
    for scene in Randomiser(shape=shape, off=("distractors",)).scenes(range(5)):
        stage.show(scene)
        rows, columns = np.nonzero(stage.object_mask())
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert seen == approx(hull_pixels(scene, SIZE), abs=1.01)


def test_the_centroid_of_a_sphere_is_the_projection_of_its_centre(stage):
    for scene in Randomiser(shape="sphere", off=("distractors",), seed=2).scenes(range(10)):
        stage.show(scene)
        rows, columns = np.nonzero(stage.object_mask())
        assert scene.camera.project(stage.object_position(), SIZE, SIZE) == approx(
            [columns.mean() + 0.5, rows.mean() + 0.5], abs=0.35
        )
        assert stage.object_position() == approx(scene.objects[0].position)
        assert 100 * stage.object_position()[:2] == approx(scene.label)


def test_the_same_scene_gives_the_same_image_whatever_was_shown_before(stage):
    first, *others = Randomiser().scenes(range(6))
    stage.show(first)
    image = stage.render()
    assert image.shape == (3, SIZE, SIZE) and image.dtype == np.uint8
    for scene in others:
        stage.show(scene)
        assert (stage.render() != image).any()
    stage.show(first)
    assert (stage.render() == image).all()
    with_noise, clean = image, Randomiser(off=("noise",)).scenes([0])[0]
    stage.show(clean)
    difference = with_noise.astype(float) - stage.render()
    assert difference.std() == approx(255 * first.noise, rel=0.2)


def test_colours_and_shadows_are_those_of_the_scene(stage):
    (scene,) = Randomiser(shape="cube", off=[name for name in ROWS if name != "lights"], seed=5).scenes([0])
    stage.show(scene)
    mask, lit = stage.object_mask(), stage.render()
    red, green, blue = lit[:, mask].mean(1)
    assert red > 2 * max(green, blue)  # the palette's object
    bare = MuJoCoStage(size=SIZE, shadow_size=0)
    bare.show(scene)
    assert bare.render().mean() > lit.mean()  # no shadow darkens it
    bare.close()


def test_without_opengl_the_sentence_names_the_packages(monkeypatch):
    def none():
        raise ImportError("Cannot initialize a EGL device display.")

    monkeypatch.setattr(mujoco_camera, "gl_context_class", none)
    with pytest.raises(CaudexError, match="Debian: apt-get install libegl1 libgl1"):
        MuJoCoStage()
