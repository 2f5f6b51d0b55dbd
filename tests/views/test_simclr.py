"""The two views of an image: its colours do not tell them, and none is upside down."""

import torch
from helpers.images import make_draw

from caudex.views import simclr_augmentation


def test_the_colour_of_an_image_does_not_tell_its_views():
    images = torch.tensor([0.7, 0.4, 0.2]).view(1, 3, 1, 1).expand(200, 3, 8, 8)  # of one colour
    one, other = (simclr_augmentation()(images, make_draw(200, seed)).mean((2, 3)) for seed in (0, 1))
    assert (one - other).abs().mean() > 0.05
    unchanged = simclr_augmentation(jitter_strength=0.0)(images, make_draw(200))
    coloured = unchanged[(unchanged[:, 0] != unchanged[:, 1]).flatten(1).any(1)]  # the others became grey
    assert 120 < len(coloured) < 200
    torch.testing.assert_close(coloured, images[: len(coloured)], atol=1e-4, rtol=0)


def test_no_view_is_upside_down():
    images = torch.linspace(1, 0, 16).view(1, 1, 16, 1).expand(200, 3, 16, 16)  # bright above
    views = simclr_augmentation()(images, make_draw(200))
    assert (views[:, :, :8].mean((1, 2, 3)) > views[:, :, 8:].mean((1, 2, 3))).all()
