"""All views: the same image gets the same view in any batch, and settings are checked."""

import math

import pytest
import torch
from helpers.images import make_draw, smooth_images
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
