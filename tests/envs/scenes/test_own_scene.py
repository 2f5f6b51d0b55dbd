"""A user's MJCF as the scene."""

import numpy as np
import pytest
from pytest import approx

from caudex.core.errors import CaudexError
from caudex.envs.scenes.own_scene import OwnStage

SIZE = 64
SCENE = """
<mujoco>
  <option gravity="0 0 {gravity}"/>
  <worldbody>
    <body name="desk" pos="1 2 0.7" euler="0 0 90">
      <geom name="{table}" type="box" size="0.4 0.2 0.02" pos="0 0 -0.02"/>
    </body>
    {camera}
    <body name="mug" pos="1 2 {height}">
      {joint}
      <geom type="cylinder" size="0.03 0.05" {contact}/>
    </body>
  </worldbody>
</mujoco>
"""
CAMERA = '<camera name="eye" pos="1.0 1.0 1.7" xyaxes="1 0 0 0 0.7071 0.7071"/>'


def write_scene(tmp_path, **changes):
    fields = {
        "table": "table",
        "camera": CAMERA,
        "joint": "<freejoint/>",
        "contact": "",
        "height": 0.76,
        "gravity": -9.81,
    } | changes
    file = tmp_path / "scene.xml"
    file.write_text(SCENE.format(**fields))
    return file


@pytest.mark.parametrize("joint", ["<freejoint/>", ""], ids=["free", "fixed"])
def test_labels_are_in_the_frame_of_the_users_table(tmp_path, joint):
    stage = OwnStage(write_scene(tmp_path, joint=joint, height=0.76 if joint else 0.75), object_name="mug")
    assert stage.half == (0.4, 0.2)
    for scene in stage.randomiser().scenes(range(8)):
        stage.show(scene)
        x, y, z = stage.object_position()
        assert (100 * x, 100 * y) == approx(scene.label) and z == approx(0.05, abs=2e-3) and stage.object_on_table()
        # the desk is turned by 90 degrees: its x is the world's y
        assert stage.data.body("mug").xpos[:2] == approx([1 - y, 2 + x], abs=1e-6)
        mask = stage.object_mask()
        if mask.sum() > 20:
            rows, columns = np.nonzero(mask)
            assert scene.camera.project(stage.object_position(), SIZE, SIZE) == approx(
                [columns.mean() + 0.5, rows.mean() + 0.5], abs=2
            )
    stage.close()


def test_looks_vary_and_come_again(tmp_path):
    stage = OwnStage(write_scene(tmp_path), object_name="mug")
    first, second = stage.randomiser().scenes([0, 1])
    images = []
    for scene in (first, second, first):
        stage.show(scene)
        images.append(stage.render())
    assert (images[0] == images[2]).all() and (images[0] != images[1]).mean() > 0.5
    stage.close()


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"camera": ""}, "has no camera; add <camera"),
        ({"table": "desk top"}, "no geom 'table'.*--table-name.*desk top"),
        ({"contact": 'contype="0" conaffinity="0"'}, "leaves it within 1 s"),
        ({"gravity": -1e13}, "gets NaN, infinite or huge within 1 s"),
        ({"joint": "", "height": 0.3}, "is below the top of the table 'table'; raise it"),
        ({"joint": '<joint type="hinge"/>'}, "cannot be put where it shall stand"),
        ({"camera": "<camera pos="}, "does not load in MuJoCo"),
    ],
)  # fmt: skip
def test_a_scene_that_will_not_do_is_refused_in_a_sentence(tmp_path, changes, because):
    with pytest.raises(CaudexError, match=because):
        OwnStage(write_scene(tmp_path, **changes), object_name="mug")


def test_names_and_files_that_are_not_there(tmp_path):
    with pytest.raises(CaudexError, match="is not there; give a file in MuJoCo's format"):
        OwnStage(tmp_path / "none.xml")
    with pytest.raises(CaudexError, match=r"has no body 'mag'\. Did you mean mug\?"):
        OwnStage(write_scene(tmp_path), object_name="mag")
