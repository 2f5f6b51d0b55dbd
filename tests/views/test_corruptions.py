"""Each severity is worse than the last."""

import pytest
import torch
from helpers.images import make_draw, smooth_images
from torch.testing import assert_close

from caudex import views
from caudex.views import (  # fmt: skip
    Draw,
    corrupt,
)


@pytest.mark.parametrize("kind", views.CORRUPTIONS)
@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 32), (3, 64)])
def test_each_severity_is_worse_than_the_last(kind, channels, side):
    images = smooth_images(32, channels, side, cells=3)
    viewed = [corrupt(images, kind, severity, make_draw(32)) for severity in (1, 2, 3, 4, 5)]
    away = [(worse - views.as_float(images)).abs().mean().item() for worse in viewed]
    assert away[0] > 0.001 and away == sorted(away) and away[4] > 1.5 * away[0]
    assert all(worse.min() >= 0 and worse.max() <= 1 and worse.dtype == torch.float32 for worse in viewed)
    rows = torch.tensor([7, 2])
    assert_close(corrupt(images[rows], kind, 3, Draw(0, 0, rows)), viewed[2][rows], atol=1e-6, rtol=0)
