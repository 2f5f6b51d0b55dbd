"""The two views of an image: its colours do not tell them, and none is upside down."""

import torch
from helpers.images import make_draw

from caudex.views import simclr_augmentation


def test_the_colour_of_an_image_does_not_tell_its_views():
    images = torch.tensor([0.7, 0.4, 0.2]).view(1, 3, 1, 1).expand(200, 3, 8, 8)  # of one colour

    def coloured_views(**settings):
        one, other = (simclr_augmentation(**settings)(images, make_draw(200, seed)).mean((2, 3)) for seed in (0, 1))
        coloured = (one.std(1) > 0.02) & (other.std(1) > 0.02)  # the others became grey
        assert 80 < coloured.sum() < 190
        return one[coloured], other[coloured]

    one, other = coloured_views()
    assert (one - other).abs().mean() > 0.05
    torch.testing.assert_close(*coloured_views(jitter_strength=0.0), atol=1e-4, rtol=0)


def test_no_view_is_upside_down():
    images = torch.linspace(1, 0, 16).view(1, 1, 16, 1).expand(200, 3, 16, 16)  # bright above
    views = simclr_augmentation()(images, make_draw(200))
    assert (views[:, :, :8].mean((1, 2, 3)) > views[:, :, 8:].mean((1, 2, 3))).all()
