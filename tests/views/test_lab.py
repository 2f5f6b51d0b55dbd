"""Lab: known colours, nothing of colour in the grey that a trunk sees, and classes that stand for every colour."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.views import ab_bins, decode_ab, encode_ab, grey_from_lightness, lab, lab_to_rgb, rgb_to_lab

COLOURS = {
    "white": ((1, 1, 1), (100, 0, 0)), "black": ((0, 0, 0), (0, 0, 0)), "red": ((1, 0, 0), (53.241, 80.092, 67.203)),
    "green": ((0, 1, 0), (87.735, -86.183, 83.179)), "blue": ((0, 0, 1), (32.297, 79.188, -107.860)),
    "cyan": ((0, 1, 1), (91.113, -48.088, -14.131)), "magenta": ((1, 0, 1), (60.324, 98.234, -60.825)),
    "yellow": ((1, 1, 0), (97.139, -21.554, 94.478)), "grey": ((119 / 255,) * 3, (50.034, 0, 0)),
}  # fmt: skip


def random_images(batch=4, side=16, seed=0):
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed))


def random_colours(batch=4, side=16, seed=0):
    """ab of random images, [B, 2, H, W]."""
    return rgb_to_lab(random_images(batch, side, seed))[:, 1:]


def one_pixel(values):
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)


def as_rows(maps):
    """[B, C, H, W] to [BHW, C]."""
    return maps.movedim(1, 3).flatten(0, 2)


# ------------------------------------------------------------------------------------------------ the space


@pytest.mark.parametrize("name", COLOURS)
def test_known_colours(name):
    rgb, expected = COLOURS[name]
    assert_close(rgb_to_lab(one_pixel(rgb)), one_pixel(expected), atol=2e-3, rtol=0)
    assert_close(lab_to_rgb(one_pixel(expected)), one_pixel(rgb), atol=1e-4, rtol=0)


@given(some.integers(0, 10_000), some.sampled_from([(1, 1, 1), (3, 4, 7), (2, 9, 5)]), some.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_there_and_back_is_the_same_image(seed, shape, dark):
    batch, height, width = shape
    images = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed)) * dark
    assert_close(lab_to_rgb(rgb_to_lab(images)), images, atol=2e-5, rtol=0)
    assert_close(lab_to_rgb(rgb_to_lab(images.double())), images.double(), atol=1e-7, rtol=0)


def test_every_byte_comes_back():
    levels = torch.arange(256).to(torch.uint8)
    images = torch.stack([levels, levels.flip(0), levels.roll(85)]).view(1, 3, 16, 16)
    assert torch.equal((lab_to_rgb(rgb_to_lab(images)) * 255).round().to(torch.uint8), images)


def test_grey_has_no_colour_and_lightness_climbs_from_0_to_100():
    levels = torch.linspace(0, 1, 256).view(1, 1, 16, 16).expand(-1, 3, -1, -1)
    lab = rgb_to_lab(levels)
    assert lab[:, 1:].abs().max() < 1e-4
    lightness = lab[0, 0].flatten()
    assert lightness[0].abs() < 1e-5 and lightness[-1].item() == pytest.approx(100, abs=1e-4)
    assert (lightness.diff() > 0).all()


def test_colours_that_srgb_lacks_are_clamped():
    rgb = lab_to_rgb(torch.tensor([[50, 120, 0], [50, -120, 0], [120, 0, 0], [-20, 0, 0.0]])[:, :, None, None])
    assert rgb.min() == 0 and rgb.max() == 1
    assert_close(rgb[2:, :, 0, 0], torch.tensor([[1.0] * 3, [0.0] * 3]))


def test_gradients_are_finite_at_black_and_beyond_the_gamut():
    for convert, values in (
        (rgb_to_lab, (0, 0, 0)),
        (rgb_to_lab, (1, 0, 0)),
        (lab_to_rgb, (0, 0, 0)),
        (lab_to_rgb, (5, 90, 90)),
    ):
        place = one_pixel(values).requires_grad_()
        convert(place).sum().backward()
        assert place.grad.isfinite().all()


# ------------------------------------------------------------------------------------------------ what a trunk sees


def test_the_grey_has_three_equal_channels_and_the_lightness():
    lightness = rgb_to_lab(random_images())[:, :1]
    grey = grey_from_lightness(lightness)
    assert grey.shape == (4, 3, 16, 16)
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2])
    lab = rgb_to_lab(grey)
    assert_close(lab[:, :1], lightness, atol=1e-3, rtol=0)
    assert lab[:, 1:].abs().max() < 1e-4
    original = grey.clone()
    grey[:, 0] = 0  # no channel is a view of another
    assert torch.equal(grey[:, 1:], original[:, 1:])


def test_a_grey_image_stays_as_it_is():
    grey = random_images()[:, :1].expand(-1, 3, -1, -1)
    assert_close(grey_from_lightness(rgb_to_lab(grey)[:, :1]), grey, atol=2e-5, rtol=0)


@given(some.floats(40, 70), some.floats(0, 2 * math.pi), some.floats(0, 25))
@settings(max_examples=25, deadline=None)
def test_no_colour_leaks_into_the_grey(lightness, hue, strength):
    coloured = lab_to_rgb(one_pixel((lightness, strength * math.cos(hue), strength * math.sin(hue))))
    plain = lab_to_rgb(one_pixel((lightness, 0, 0)))
    assert_close(grey_from_lightness(rgb_to_lab(coloured)[:, :1]), plain, atol=2e-5, rtol=0)


# ------------------------------------------------------------------------------------------------ classes


def test_the_bins_are_the_squares_with_a_colour_in_them():
    centres = ab_bins()
    assert centres.shape == (261, 2) and centres.dtype == torch.float32
    expected = set(map(tuple, centres.int().tolist()))
    assert len(expected) == 261 and all(a % 10 == 0 and b % 10 == 0 for a, b in expected)
    assert (0, 0) in expected and (-90, 50) not in expected
    # sought from the other side: which points of Lab are the colour of some image?
    axis = torch.arange(-120.0, 120.1, 2.0) + 0.5
    points = torch.cartesian_prod(torch.arange(2, 100, 4.0), axis, axis).T[None, :, :, None]
    real = (rgb_to_lab(lab_to_rgb(points)) - points).abs().amax(1).flatten() < 0.05
    bins_found = set(map(tuple, (points[0, 1:, real, 0].T / 10).round().mul(10).int().unique(dim=0).tolist()))
    assert bins_found <= expected
    missed = expected - bins_found  # touched by a corner of the cube only
    assert len(missed) < 25 and all(abs(a) + abs(b) >= 60 for a, b in missed)


@given(some.integers(0, 10_000), some.sampled_from([5, 10, 20]))
@settings(max_examples=20, deadline=None)
def test_every_8_bit_colour_has_its_bin(seed, step):
    images = torch.randint(0, 256, (1, 3, 40, 40), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    images[:, :, :10] = images[:, :, :10] // 128 * 255  # corners of the cube
    ab = as_rows(rgb_to_lab(images)[:, 1:])
    away = (ab[:, None] - ab_bins(step)).abs().amax(2).amin(1)
    assert away.max() <= step / 2 + 1e-3


def test_every_bin_is_the_nearest_of_a_colour():
    levels, ends = torch.arange(0, 256, 3) / 255, torch.tensor([0.0, 1.0])
    faces = torch.cat([torch.cartesian_prod(ends, levels, levels).roll(axis, 1) for axis in range(3)])
    ab = as_rows(rgb_to_lab(faces.T[None, :, :, None])[:, 1:])
    used = torch.cdist(ab, ab_bins()).argmin(1).unique()
    assert len(used) == len(ab_bins())


def test_writing_into_bins_harms_nobody():
    ab_bins().zero_()
    assert ab_bins().abs().sum() > 0


def test_a_colour_on_a_centre_is_mostly_its_class():
    centres = ab_bins()
    classes, weights = encode_ab(one_pixel((10.0, -20.0)), centres)
    assert centres[classes[0, 0, 0, 0]].tolist() == [10, -20]
    others = {tuple(centre) for centre in centres[classes[0, 1:, 0, 0]].int().tolist()}
    assert others == {(0, -20), (20, -20), (10, -10), (10, -30)}
    # the four neighbours are two deviations away
    side = math.exp(-2)
    assert_close(weights.flatten(), torch.tensor([1.0, side, side, side, side]) / (1 + 4 * side))


@pytest.mark.parametrize("nearest", [1, 5, 12])
@pytest.mark.parametrize("step", [10, 25])
def test_classes_are_the_nearest_of_all_and_weights_are_gaussian(nearest, step):
    centres = ab_bins(step)
    far = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(1)) * 256 - 128  # most are no colours
    ab = torch.cat([random_colours(3, 32), far])
    classes, weights = encode_ab(ab, centres, nearest=nearest, sigma=7.0)
    assert classes.dtype == torch.int64 and classes.shape == weights.shape == (4, nearest, 32, 32)
    all_distances = (as_rows(ab).double()[:, None] - centres.double()).norm(dim=2)
    expected = all_distances.topk(nearest, 1, largest=False).values
    classes, weights = as_rows(classes), as_rows(weights)
    assert_close(all_distances.gather(1, classes), expected, atol=1e-4, rtol=0)
    assert_close(weights.double(), (-expected.square() / 98).softmax(1), atol=1e-4, rtol=0)
    assert_close(weights.sum(1), torch.ones(len(weights)))
    ordered = classes.sort(1).values
    assert (ordered.diff(dim=1) > 0).all(), "a class stands twice"


def test_weights_sum_to_one_however_far_and_narrow():
    for ab, sigma in ((one_pixel((127.0, -128.0)), 0.01), (one_pixel((1e4, -1e4)), 5.0), (one_pixel((5.0, 5.0)), 1e-4)):
        weights = encode_ab(ab, ab_bins(), sigma=sigma)[1]
        assert weights.isfinite().all() and weights.sum().item() == pytest.approx(1, abs=1e-5)


def test_a_colour_has_one_encoding_in_any_batch_and_chunk(monkeypatch):
    ab = random_colours(6)
    full_encoding = encode_ab(ab, ab_bins())
    rows = torch.tensor([4, 1])
    monkeypatch.setattr(lab, "_CHUNK", 37)
    for all_of_them, some_of_them in zip(full_encoding, encode_ab(ab[rows], ab_bins())):
        assert torch.equal(all_of_them[rows], some_of_them)
    assert encode_ab(ab[:0], ab_bins())[0].shape == (0, 5, 16, 16)


@given(some.lists(some.integers(0, 260), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_a_certain_class_decodes_to_its_centre_and_back(bins_):
    centres = ab_bins()
    classes = torch.tensor(bins_).view(-1, 1, 1, 1)
    certain = torch.full((len(bins_), 261, 1, 1), -torch.inf).scatter_(1, classes, 0.0)
    decoded = decode_ab(certain, centres)
    assert_close(decoded[:, :, 0, 0], centres[bins_])
    assert torch.equal(encode_ab(decoded, centres, nearest=1)[0], classes)
    assert torch.equal(encode_ab(decoded, centres)[0][:, :1], classes)


def test_the_hard_class_is_within_half_a_square_and_the_soft_mean_closer():
    ab, centres = random_colours(8), ab_bins()
    errors = []
    for nearest in (1, 5):
        classes, weights = encode_ab(ab, centres, nearest)
        logits = torch.full((8, 261, 16, 16), -torch.inf).scatter_(1, classes, weights.log())
        errors.append((decode_ab(logits, centres, temperature=1.0) - ab).norm(dim=1))
    assert errors[0].max() <= 10 / math.sqrt(2) + 1e-3
    assert errors[1].mean() < errors[0].mean() / 4


def test_towards_zero_the_annealed_mean_is_the_mode_and_at_one_the_mean():
    centres = torch.tensor([[10.0, 0.0], [-30.0, 20.0]])
    logits = torch.tensor([0.6, 0.4]).log().view(1, 2, 1, 1)
    assert_close(decode_ab(logits, centres, temperature=1.0).flatten(), 0.6 * centres[0] + 0.4 * centres[1])
    sharp = 0.6 ** (1 / 0.38) / (0.6 ** (1 / 0.38) + 0.4 ** (1 / 0.38))
    assert_close(decode_ab(logits, centres).flatten(), sharp * centres[0] + (1 - sharp) * centres[1])
    assert_close(decode_ab(logits, centres, temperature=1e-3).flatten(), centres[0])
    assert_close(decode_ab(logits * 1e6, centres).flatten(), centres[0])
    many = torch.randn(2, 261, 5, 7)
    assert_close(
        decode_ab(many, ab_bins(), temperature=1e-5), ab_bins()[many.argmax(1)].movedim(3, 1), atol=1e-2, rtol=0
    )


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rgb_to_lab(torch.zeros(2, 1, 4, 4)), "[2, 1, 4, 4]"),
        (lambda: rgb_to_lab(torch.zeros(2, 3, 4, 4, dtype=torch.int32)), "torch.int32"),
        (lambda: lab_to_rgb(torch.zeros(3, 4, 4)), "[3, 4, 4]"),
        (lambda: grey_from_lightness(torch.zeros(2, 3, 4, 4)), "give [B, 1, H, W]"),
        (lambda: ab_bins(0), "ab_bins(step=0)"),
        (lambda: encode_ab(torch.zeros(2, 3, 4, 4), ab_bins()), "give [B, 2, H, W]"),
        (lambda: encode_ab(torch.zeros(2, 2, 4, 4), ab_bins()[:3]), "encode_ab(nearest=5): there are 3 centres"),
        (lambda: encode_ab(torch.zeros(2, 2, 4, 4), ab_bins(), nearest=0), "encode_ab(nearest=0)"),
        (lambda: encode_ab(torch.zeros(2, 2, 4, 4), ab_bins(), sigma=0.0), "encode_ab(sigma=0.0)"),
        (lambda: decode_ab(torch.zeros(2, 313, 4, 4), ab_bins()), "give [B, 261, H, W]"),
        (lambda: decode_ab(torch.zeros(2, 261, 4, 4), ab_bins(), temperature=0), "decode_ab(temperature=0)"),
    ],
)
def test_bad_settings_say_what_and_the_way_out(make, message):
    with pytest.raises(CaudexError) as error:
        make()
    assert message in str(error.value) and str(error.value).endswith(".")
