"""Views of colour, blur, noise and cutout do what their names say."""

import pytest
import torch
from helpers.images import image_of_dot, make_draw, smooth_images
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.testing import assert_close

from caudex import views
from caudex.views import (  # fmt: skip
    ColorJitter,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    RandomGrayscale,
)


def test_grey_images_have_equal_channels_and_keep_their_luma():
    images = smooth_images()
    grey = RandomGrayscale(1.0)(images, make_draw())
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2])
    red, green, blue = views.as_float(images).unbind(1)
    assert_close(grey[:, 0], 0.299 * red + 0.587 * green + 0.114 * blue)


def test_hue_and_saturation_leave_grey_alone_and_keep_luma():
    grey = smooth_images(channels=1).expand(-1, 3, -1, -1)
    vivid = ColorJitter(0, 0, 0.9, 0.5, p=1.0)
    assert_close(vivid(grey, make_draw()), views.as_float(grey), atol=1e-5, rtol=0)
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    mild = views.as_float(smooth_images()) * 0.1 + 0.45  # far enough from the ends not to be clamped
    turned = vivid(mild, make_draw())
    assert_close((turned * luma).sum(1), (mild * luma).sum(1), atol=1e-5, rtol=0)
    assert (turned - mild).abs().mean() > 0.005


def test_half_a_turn_of_hue_exchanges_a_colour_and_its_complement():
    mild = torch.tensor([0.6, 0.5, 0.45])[None, :, None, None].expand(1, 3, 4, 4)
    luma = (mild * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    half = torch.tensor([0.5])
    assert_close(views.adjust_colour(mild, hue=half), 2 * luma - mild, atol=1e-5, rtol=0)
    twice = views.adjust_colour(views.adjust_colour(mild, hue=half / 2), hue=half / 2)
    assert_close(twice, views.adjust_colour(mild, hue=half), atol=1e-5, rtol=0)


def test_brightness_multiplies_and_contrast_pulls_to_the_mean():
    images = views.as_float(smooth_images(2)) * 0.4
    half = torch.tensor([-0.5, 1.0])
    assert_close(views.adjust_colour(images, brightness=half), images * torch.tensor([0.5, 2.0])[:, None, None, None])
    mean = images.mean((2, 3), keepdim=True)
    assert_close(views.adjust_colour(images, contrast=half)[0], ((images + mean) / 2)[0])


@given(some.floats(0.0, 5.0), some.sampled_from([(8, 8), (16, 16), (12, 20)]))
@settings(max_examples=25, deadline=None)
def test_a_blur_keeps_the_mean_and_lowers_the_spread(sigma, sides):
    images = torch.rand(2, 3, *sides, generator=torch.Generator().manual_seed(2))
    viewed = GaussianBlur(sigma=(sigma, sigma), p=1.0)(images, make_draw(2))
    # sides much smaller than the filter lose a trace of the exact balance
    assert_close(viewed.mean((2, 3)), images.mean((2, 3)), atol=1e-5 if sigma < min(sides) / 4 else 5e-3, rtol=0)
    assert (viewed.std((2, 3)) <= images.std((2, 3)) + 1e-6).all()


def test_a_blurred_dot_is_a_gaussian():
    viewed = GaussianBlur(sigma=(1.5, 1.5), p=1.0)(image_of_dot(10, 10, side=21), make_draw(1))[0, 0]
    away = torch.arange(21.0) - 10
    bell = torch.exp(-(away**2) / (2 * 1.5**2))
    assert_close(viewed, bell[:, None] * bell / bell.sum() ** 2, atol=1e-6, rtol=0)


def test_noise_has_its_std():
    viewed = GaussianNoise(0.1)(torch.full((8, 3, 32, 32), 0.5), make_draw(8))
    assert (viewed - 0.5).std().item() == pytest.approx(0.1, rel=0.03)
    assert (viewed - 0.5).mean().item() == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_cutout_has_its_area_wholly_inside(share):
    viewed = Cutout(share)(torch.ones(50, 3, 16, 16), make_draw(50))
    assert torch.equal((viewed == 0).sum((1, 2, 3)), torch.full((50,), int(3 * (16 * share) ** 2)))
    if share < 1:
        assert len(viewed.flatten(1).unique(dim=0)) > 20, "it should move about"


def test_posterize_solarize_and_autocontrast():
    levels = torch.arange(256).view(1, 1, 16, 16).to(torch.uint8)
    images, amount = views.as_float(levels), torch.tensor([4.0])
    assert_close(views.posterize(images, None, amount) * 255, (levels // 16 * 16).float(), atol=1e-3, rtol=0)
    assert_close(views.solarize(images, None, torch.tensor([1.0])), 1 - images)
    half = views.solarize(images, None, torch.tensor([0.5])).flatten()
    assert torch.equal(half[:128], images.flatten()[:128]) and torch.equal(half[129:], 1 - images.flatten()[129:])
    stretched = views.autocontrast(images * 0.5 + 0.2, None, amount)
    assert_close(stretched, images, atol=1e-5, rtol=0)
    flat = torch.full((1, 3, 4, 4), 0.3)
    assert torch.equal(views.autocontrast(flat, None, amount), flat)


def test_sharpening_steepens_an_edge_and_the_opposite_softens_it():
    edge = torch.full((2, 1, 8, 8), 0.3)
    edge[..., 4:] = 0.7
    sharp, soft = views.blur_or_sharpen(edge, sharpness=torch.tensor([0.9, -0.9]))[:, 0, 4]
    assert sharp[4] - sharp[3] > 0.45 and soft[4] - soft[3] < 0.35
