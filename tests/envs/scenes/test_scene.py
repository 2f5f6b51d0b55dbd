"""The description of a scene: patterns, and the pinhole camera by hand."""

import math

import msgspec
import numpy as np
import pytest
from pytest import approx

from caudex.envs.scenes.scene import CAMERA, Camera, Scene, Texture, matrix_quaternion, rotation_quaternion

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def test_a_camera_projects_as_a_pinhole_by_hand():
    above = Camera((0.0, 0.0, 2.0), (1, 0, 0, 0), fovy=90)  # looks straight down, y up in the image
    # the tangent of 45 degrees is 1, so that 2 m away half an image of 100 pixels is 2 m
    points = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, -0.5, 1]]
    assert above.project(points, 100, 100) == approx(np.array([[50, 50], [75, 50], [50, 25], [0, 75]]))
    assert above.project([1, 0, 0], 100, 200) == approx([125, 50])  # a wide image sees more to the sides


def test_the_standard_camera_looks_at_the_centre_of_the_table_and_far_is_up():
    assert CAMERA.project([0, 0, 0], 64, 64) == approx([32, 32])
    assert math.hypot(*CAMERA.position) == approx(1.2)
    (right, _), (_, far) = CAMERA.project([[0.1, 0, 0], [0, 0.1, 0]], 64, 64)
    assert right > 32 and far < 32


def test_rotations_become_quaternions_and_come_back():
    quaternion = rotation_quaternion((0.0, 0.0, math.pi / 2))
    assert quaternion == approx((math.sqrt(0.5), 0, 0, math.sqrt(0.5)))
    assert matrix_quaternion(Camera((0, 0, 0), quaternion, 45).rotation) == approx(quaternion)


@pytest.mark.parametrize(
    ("pattern", "share"), [("flat", 0), ("checker", 0.5), ("stripes", 0.5), ("gradient", 0.5), ("dots", 0.28)]
)
def test_patterns_have_their_share_of_the_second_colour(pattern, share):
    pixels = Texture(pattern, (RED, BLUE), cells=4.0).pixels(64)
    assert pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8
    assert pixels[..., 2].mean() / 255 == approx(share, abs=0.03)
    assert (pixels[..., 0] + pixels[..., 2].astype(int) >= 254).all() and not pixels[..., 1].any()


def test_a_scene_is_written_and_read_as_json():
    scene = Scene((), (Texture("flat", (RED, BLUE)),), CAMERA, (), (0.4, 0.4, 0.4))
    assert msgspec.json.decode(msgspec.json.encode(scene), type=Scene) == scene
