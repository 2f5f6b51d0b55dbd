"""Views: the same image gets the same view in any batch, and each operation does what its name says."""

import math

import pytest
import torch
from helpers.images import make_draw, smooth_images
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.testing import assert_close

from caudex import views
from caudex.core.errors import CaudexError
from caudex.views import (  # fmt: skip
    ColorJitter,
    Compose,
    Cutout,
    Draw,
    GaussianBlur,
    GaussianNoise,
    RandAugment,
    RandomCrop,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomScale,
    RandomShear,
    RandomTranslation,
    affine,
    corrupt,
    quarter_turns,
)

VIEWS = [
    RandomCrop(4), RandomResizedCrop(), RandomHorizontalFlip(), RandomTranslation(0.2), RandomRotation(40),
    RandomRotation(40, fill="reflect"), RandomScale(0.3), RandomShear(), ColorJitter(), RandomGrayscale(0.5),
    GaussianBlur(), GaussianNoise(), Cutout(), RandAugment(num_ops=3, magnitude=0.7),
    Compose((RandomCrop(2), ColorJitter(), RandAugment())),
    *(RandAugment(num_ops=1, magnitude=0.6, operations=(name,)) for name in views.RANDAUGMENT_OPERATIONS),
]  # fmt: skip

NOT_RANDOM = {"blur", "posterize", "solarize", "autocontrast", "identity"}  # alone: one magnitude, and no sign

IDENTITIES = [
    Compose(()), RandomCrop(0), RandomResizedCrop(scale=(1, 1), ratio=(1, 1)), RandomHorizontalFlip(0.0),
    RandomTranslation(0.0), RandomRotation(0.0), RandomScale(0.0), RandomShear(0.0), ColorJitter(0, 0, 0, 0),
    ColorJitter(p=0.0), RandomGrayscale(0.0), GaussianBlur(p=0.0), GaussianBlur(sigma=(0, 0), p=1.0),
    GaussianNoise(0.0), Cutout(0.0), RandAugment(num_ops=0), RandAugment(operations=("identity",)),
    RandAugment(magnitude=0.0, operations=tuple(name for name in views.RANDAUGMENT_OPERATIONS if name != "autocontrast")),
]  # fmt: skip


# -- all views -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS, ids=repr)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_has_one_view_in_any_batch(view, channels):
    images = smooth_images(channels=channels)
    all_views = view(images, make_draw(epoch=3))
    assert all_views.dtype == torch.float32 and all_views.shape == images.shape
    assert all_views.min() >= 0 and all_views.max() <= 1
    assert view(images[:0], Draw(0, 3, torch.arange(0))).shape == (0, channels, 16, 16)
    for rows in ([5], [9, 5, 2]):
        rows = torch.tensor(rows)
        assert_close(view(images[rows], Draw(0, 3, rows)), all_views[rows], atol=1e-6, rtol=0)
    floats = views.as_float(images)
    original = floats.clone()
    assert_close(view(floats, make_draw(epoch=3)), all_views, atol=1e-6, rtol=0)
    assert torch.equal(floats, original), "the view wrote into its input"


@pytest.mark.parametrize(
    "view", [view for view in VIEWS if not set(getattr(view, "operations", "?")) <= NOT_RANDOM], ids=repr
)
def test_another_epoch_is_another_view(view):
    images = smooth_images()
    viewed = [view(images, make_draw(epoch=epoch)) for epoch in range(6)]
    assert any(not torch.equal(viewed[0], other) for other in viewed[1:])


@pytest.mark.parametrize("view", IDENTITIES, ids=repr)
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 8, 8), (3, 12, 20)])
def test_settings_of_nothing_change_nothing(view, shape):
    images = torch.rand(6, *shape, generator=torch.Generator().manual_seed(1))
    if isinstance(view, RandomResizedCrop) and shape[1] != shape[2]:
        view = RandomResizedCrop(scale=(1, 1), ratio=(shape[2] / shape[1],) * 2)
    atol = 0.5 / 255 + 1e-6 if "posterize" in repr(view) and view.num_ops else 1e-5  # posterize speaks in bytes
    assert_close(view(images, make_draw(6)), images, atol=atol, rtol=0)


def test_uint8_and_float_scale():
    assert torch.equal(views.as_float(torch.tensor([0, 255], dtype=torch.uint8)), torch.tensor([0.0, 1.0]))
    halves = torch.rand(3).double()
    assert views.as_float(halves) is halves


# -- geometry ------------------------------------------------------------------------------------------------------


def image_of_dot(row, column, side=9):
    image = torch.zeros(1, 1, side, side)
    image[0, 0, row, column] = 1
    return image


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


# -- colours and detail --------------------------------------------------------------------------------------------


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


# -- RandAugment ---------------------------------------------------------------------------------------------------


def test_one_operation_is_drawn_evenly_and_applied_alone():
    names = ("shift_x", "rotate", "brightness", "identity", "blur")
    images = smooth_images(500, side=8)
    alone = {name: RandAugment(num_ops=1, magnitude=0.8, operations=(name,)) for name in names}
    viewed = RandAugment(num_ops=1, magnitude=0.8, operations=names)(images, make_draw(500))
    # the sign of each image is the same draw in all, so each image must be what one of the operations makes of it
    alone_views = torch.stack([view(images, make_draw(500)) for view in alone.values()])  # [5, B, ...]
    by = (alone_views - viewed).abs().flatten(2).amax(2) < 1e-5  # [5, B]
    assert by.any(0).all()
    assert ((by.sum(1) > 60) & (by.sum(1) < 140)).all()


def test_more_magnitude_is_more_change():
    images = smooth_images(200)
    change = [
        (RandAugment(magnitude=magnitude)(images, make_draw(200)) - views.as_float(images)).abs().mean()
        for magnitude in (0.1, 0.5, 1.0)
    ]
    assert change[0] < change[1] < change[2]


# -- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RandomCrop(padding=-3),
            "RandomCrop(padding=-3): padding counts pixels and cannot be negative; try padding=4.",
        ),
        (lambda: RandomCrop(20)(smooth_images(), make_draw()), "RandomCrop(padding=20)"),
        (lambda: RandomResizedCrop(scale=(0.5, 0.1)), "ResizedCrop(scale=(0.5, 0.1))"),
        (lambda: RandomResizedCrop(ratio=(0, 1)), "ratio=(0, 1)"),
        (lambda: RandomHorizontalFlip(1.5), "Flip(p=1.5)"),
        (lambda: RandomHorizontalFlip(math.nan), "Flip(p=nan)"),
        (lambda: RandomTranslation(-0.1), "RandomTranslation(share=-0.1)"),
        (lambda: RandomTranslation(fill="pink"), "border, reflect, black"),
        (lambda: RandomRotation(-5), "RandomRotation(degrees=-5)"),
        (lambda: RandomScale(-1), "Scale(share=-1)"),
        (lambda: RandomShear(3), "Shear(slope=3)"),
        (lambda: ColorJitter(brightness=-1), "ColorJitter(brightness=-1)"),
        (lambda: ColorJitter(hue=0.7), "from 0 to 0.5"),
        (lambda: RandomGrayscale(2), "RandomGrayscale(p=2)"),
        (lambda: GaussianBlur(sigma=(2, 1)), "Blur(sigma=(2, 1))"),
        (lambda: GaussianNoise(-1), "GaussianNoise(std=-1)"),
        (lambda: Cutout(2), "Cutout(share=2)"),
        (lambda: RandAugment(magnitude=10), "RandAugment(magnitude=10)"),
        (lambda: RandAugment(num_ops=-1), "RandAugment(num_ops=-1)"),
        (lambda: RandAugment(operations=("twirl",)), "twirl"),
        (lambda: RandAugment(operations=()), "operations"),
        (lambda: Compose((3,)), "Compose(views=(3,))"),
        (lambda: corrupt(smooth_images(), "fog", 1, make_draw()), "'fog' is not a corruption; take one of noise"),
        (lambda: corrupt(smooth_images(), "blur", 6, make_draw()), "severity 6"),
        (lambda: quarter_turns(torch.zeros(1, 1, 4, 5), torch.tensor([1])), "4 x 5"),
        (lambda: views.all_four_rotations(torch.zeros(1, 1, 4, 5)), "4 x 5"),
        (lambda: RandomHorizontalFlip()(torch.zeros(2, 16, 16), make_draw(2)), "[2, 16, 16]"),
        (lambda: RandomHorizontalFlip()(torch.zeros(2, 2, 16, 16), make_draw(2)), "[2, 2, 16, 16]"),
        (lambda: RandomHorizontalFlip()(torch.zeros(2, 3, 16, 16, dtype=torch.int32), make_draw(2)), "torch.int32"),
    ],
)
def test_bad_settings_say_what_and_the_way_out(make, message):
    with pytest.raises(CaudexError) as error:
        make()
    assert message in str(error.value) and str(error.value).endswith(".")
