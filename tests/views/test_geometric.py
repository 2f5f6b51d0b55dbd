"""Crops, flips, shifts and rotations move pixels as their names say."""

import math

import pytest
import torch
from helpers.images import image_of_dot, make_draw, smooth_images
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.testing import assert_close

from caudex import views
from caudex.views import (  # fmt: skip
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    affine,
    quarter_turns,
)


@given(some.integers(2, 6), some.integers(2, 6), some.integers(-2, 2), some.integers(-2, 2))
@settings(max_examples=25, deadline=None)
def test_a_shift_moves_a_pixel_right_and_down(row, column, down, right):
    shifted = affine(image_of_dot(row, column), shift_x=torch.tensor([right / 9]), shift_y=torch.tensor([down / 9]))
    assert_close(shifted, image_of_dot(row + down, column + right), atol=1e-5, rtol=0)


@pytest.mark.parametrize("quarter", [-2, -1, 0, 1, 2, 3])
@pytest.mark.parametrize("side", [8, 9])
def test_a_warp_by_right_angles_is_a_quarter_turn(quarter, side):
    images = torch.rand(3, 3, side, side)
    turned = affine(images, rotate=torch.full((3,), 90.0 * quarter))
    assert_close(turned, quarter_turns(images, torch.full((3,), quarter)), atol=1e-4, rtol=0)


def test_a_warp_shears_and_scales_about_the_centre():
    one = torch.tensor([1.0])
    # a slope of 1 moves the row below the centre by one pixel to the right, the centre stays
    assert_close(affine(image_of_dot(5, 4), shear_x=one), image_of_dot(5, 5), atol=1e-5, rtol=0)
    assert_close(affine(image_of_dot(4, 5), shear_y=one), image_of_dot(5, 5), atol=1e-5, rtol=0)
    assert_close(affine(image_of_dot(4, 4), shear_x=one), image_of_dot(4, 4), atol=1e-5, rtol=0)
    # twice the size: two pixels from the centre become four
    large = affine(image_of_dot(4, 6), scale=math.log(2) * one)
    assert large[0, 0, 4, 8] == pytest.approx(1, abs=1e-5)
    # stretched across only
    wide = affine(image_of_dot(6, 6), scale=math.log(2) / 2 * one, stretch=math.log(2) / 2 * one)
    assert wide[0, 0, 6, 8] == pytest.approx(1, abs=1e-5)


def test_rotating_there_and_back_keeps_a_smooth_image():
    images = views.as_float(smooth_images(side=32))
    angle = torch.linspace(-25, 25, 12)
    back = affine(affine(images, rotate=angle), rotate=-angle)
    assert (back - images)[..., 10:22, 10:22].abs().mean() < 0.02


@pytest.mark.parametrize(("fill", "expected"), [("border", 0.25), ("reflect", 0.75), ("black", 0.0)])
def test_what_comes_in_is_the_fill(fill, expected):
    image = torch.full((1, 1, 8, 8), 0.5)
    image[..., 0], image[..., 1] = 0.25, 0.75
    viewed = affine(image, fill=fill, shift_x=torch.tensor([2 / 8]))
    assert viewed[0, 0, 4, 0].item() == pytest.approx(expected, abs=1e-4)
    assert viewed[0, 0, 4, 2].item() == pytest.approx(0.25, abs=1e-4)


def test_a_crop_is_a_window_of_the_reflected_image():
    images = smooth_images(60, side=8)
    padded = torch.nn.functional.pad(views.as_float(images), (2, 2, 2, 2), mode="reflect")
    windows = padded.unfold(2, 8, 1).unfold(3, 8, 1).flatten(2, 3)  # [B, C, 25, 8, 8]
    same = (windows == RandomCrop(2)(images, make_draw(60))[:, :, None]).flatten(3).all(3).all(1)  # [B, 25]
    assert same.any(1).all()
    assert same.any(0).sum() > 18, "all windows should come up"


def test_a_resized_crop_keeps_to_its_area_and_inside():
    side = 32
    ramp = (torch.arange(side) + 0.5) / side
    images = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side), torch.zeros(side, side)])
    viewed = RandomResizedCrop(scale=(0.25, 0.5))(images.expand(300, -1, -1, -1), make_draw(300))
    # the ramps tell where each pixel came from; their slope inside is the part's width and height
    width = (viewed[:, 0, 16, 20] - viewed[:, 0, 16, 12]) * side / 8
    height = (viewed[:, 1, 20, 16] - viewed[:, 1, 12, 16]) * side / 8
    assert (width * height).min() > 0.25 - 1e-3 and (width * height).max() < 0.5 + 1e-3
    assert (width / height).min() > 3 / 4 - 1e-2 and (width / height).max() < 4 / 3 + 1e-2
    assert viewed[:, 0].min() < 0.05 and viewed[:, 0].max() > 0.95


def test_a_flip_exchanges_left_and_right():
    images = smooth_images()
    assert torch.equal(RandomHorizontalFlip(1.0)(images, make_draw()), views.as_float(images).flip(3))
    half = (
        (
            RandomHorizontalFlip(0.5)(smooth_images(400, side=8), make_draw(400))
            != views.as_float(smooth_images(400, side=8))
        )
        .flatten(1)
        .any(1)
    )
    assert 140 < half.sum() < 260
