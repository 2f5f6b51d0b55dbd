"""Proxy reality: both renderers see the same geometry, and looks follow from the scene alone."""

import sys

import msgspec
import numpy as np
import pytest
from pytest import approx

from caudex.core.errors import CaudexError
from caudex.envs.scenes.own_scene import OwnStage
from caudex.envs.scenes.path_traced import PathTracedStage, round_mesh
from caudex.envs.scenes.proxy_looks import CameraSettings, develop
from caudex.envs.scenes.scene import SOLIDS
from caudex.envs.scenes.stage import MuJoCoStage

SIZE = 96
OWN = """
<mujoco>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 1" pos="1 2 0"/>
    <geom name="table" type="box" size="0.4 0.3 0.02" pos="1 2 0.68" euler="0 0 90"/>
    <geom type="capsule" size="0.05 0.2" pos="0.6 2.1 0.9" euler="60 20 0"/>
    <geom type="box" size="0.3 0.3 0.3" pos="1 2 1.1" group="4"/>
    <camera name="eye" pos="1.2 0.9 1.7" xyaxes="1 0.1 0 0 0.7071 0.7071" fovy="50"/>
    <body name="object" pos="1 2 0.75">
      {geoms}
    </body>
    {more}
  </worldbody>
</mujoco>
"""
LAMP = (
    '<geom type="ellipsoid" size="0.09 0.06 0.05" euler="0 20 0"/><geom type="cylinder" size="0.02 0.1" pos="0 0 0.1"/>'
)


@pytest.fixture(scope="module")
def stage():
    stage = MuJoCoStage(size=SIZE)
    yield stage
    stage.close()


def own_stage(tmp_path, geoms=LAMP, more=""):
    (tmp_path / "scene.xml").write_text(OWN.format(geoms=geoms, more=more))
    return OwnStage(tmp_path / "scene.xml", size=SIZE)


def overlap(stage, scenes):
    """Of the object's masks by both renderers, the pixels of all scenes together: intersection over union."""
    traced, both, either = PathTracedStage(stage, 1), 0, 0
    for scene in scenes:
        traced.show(scene)
        ours, theirs = traced.object_mask(), stage.object_mask()
        both, either = both + (ours & theirs).sum(), either + (ours | theirs).sum()
    assert either > 50 * len(scenes)
    return both / either


@pytest.mark.parametrize("shape", SOLIDS)
@pytest.mark.parametrize("held_out", [False, True], ids=["cameras of training", "cameras further off"])
def test_silhouettes_of_both_renderers_agree(stage, shape, held_out):
    scenes = stage.randomiser(shape=shape, seed=3, held_out=held_out, off=("distractors",)).scenes(range(4))
    assert overlap(stage, scenes) > 0.97


def test_distractors_hide_the_same_of_the_object(stage):
    scenes = [s for s in stage.randomiser(shape="cylinder", seed=4).scenes(range(20)) if len(s.objects) > 4]
    assert overlap(stage, scenes[:6]) > 0.97


def test_silhouettes_agree_in_a_scene_of_ones_own(tmp_path):
    stage = own_stage(tmp_path)
    assert overlap(stage, stage.randomiser(seed=1).scenes(range(4))) > 0.97
    stage.close()


def test_a_look_follows_from_the_scene_alone_and_not_from_the_randomisers_looks(stage):
    traced = PathTracedStage(stage, 2)
    first, second = stage.randomiser(seed=6).scenes([0, 1])
    images = []
    for scene in (first, second, first):
        traced.show(scene)
        images.append(traced.render())
    assert images[0].shape == (3, SIZE, SIZE) and images[0].dtype == np.uint8
    assert (images[0] == images[2]).all() and (images[0] != images[1]).mean() > 0.5
    # the same geometry under the randomiser's one fixed look: not a pixel is different
    looks = {"surfaces": second.surfaces, "lights": second.lights, "ambient": second.ambient, "noise": 0.0}
    objects = tuple(msgspec.structs.replace(o, texture=second.objects[0].texture) for o in first.objects)
    traced.show(msgspec.structs.replace(first, objects=objects, **looks))
    assert (traced.render() == images[0]).all()
    # another number: other looks of the same geometry
    traced.show(msgspec.structs.replace(first, noise_seed=first.noise_seed + 1))
    assert (traced.render() != images[0]).mean() > 0.5


def test_a_scene_is_built_in_one_order(stage):
    # Mitsuba's default orders shapes and lamps anew each time, and one image in twenty is then another
    traced = PathTracedStage(stage, 1)
    scene = next(scene for scene in stage.randomiser(seed=6).scenes(range(20)) if len(scene.objects) > 4)
    orders = set()
    for _ in range(30):
        traced.show(scene)
        orders.add(tuple(shape.id() for shape in traced.mitsuba_scene.shapes()))
    assert len(orders) == 1


def test_images_are_neither_black_nor_burnt_out(stage):
    traced = PathTracedStage(stage, 1)
    means = []
    for scene in stage.randomiser(seed=7).scenes(range(20)):
        traced.show(scene)
        means.append(traced.render().mean())
    assert min(means) > 60 and max(means) < 200


def test_a_sensor_exposes_loses_light_in_the_corners_and_is_noisier_with_fewer_electrons():
    grey = np.full((64, 64, 3), 7.0)
    settings = CameraSettings(0.2140, (1, 1, 1), 0.0, 1e9, 100)
    image = develop(grey, settings, np.random.default_rng(0))
    assert image.mean() == approx(127.5, abs=1)  # 21.4% of the light is the middle of sRGB, whatever the light
    dark_corners = develop(grey, settings._replace(vignetting=0.5), np.random.default_rng(0)).astype(float)
    assert dark_corners[32, 32].mean() > 125 and dark_corners[0, 0].mean() == approx(93, abs=3)  # half: 10.7%
    spreads = [
        develop(grey, settings._replace(electrons=n), np.random.default_rng(0)).std() for n in (100, 1000, 10000)
    ]
    assert spreads[0] > 2.5 * spreads[1] > 6 * spreads[2] > 0


def test_the_mesh_of_an_ellipsoid_is_closed_and_seen_from_outside():
    points, faces = round_mesh()
    a, b, c = np.moveaxis(points[faces], 1, 0)
    volume = np.einsum("fi,fi->f", np.cross(a, b), c).sum() / 6
    assert volume == approx(4 / 3 * np.pi, rel=0.01)


def test_geoms_that_the_bridge_does_not_know_are_refused_by_name(tmp_path):
    field = '<asset><hfield name="hill" nrow="2" ncol="2" size="1 1 1 0.1"/></asset><worldbody>'
    stage = own_stage(tmp_path)
    text = (tmp_path / "scene.xml").read_text()
    stage.close()
    hill = '<geom name="the hill" type="hfield" hfield="hill" pos="0 0 -3"/>'
    (tmp_path / "scene.xml").write_text(text.replace("<worldbody>", field + hill))
    stage = OwnStage(tmp_path / "scene.xml", size=SIZE)
    with pytest.raises(CaudexError, match="the geom 'the hill' is a hfield, which the path tracer does not know"):
        PathTracedStage(stage)
    stage.close()


def test_without_mitsuba_one_sentence_says_what_to_install(stage, monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(
        CaudexError, match=r"^path tracing needs the package mitsuba: pip install 'caudex\[render\]'\.$"
    ):
        PathTracedStage(stage)
