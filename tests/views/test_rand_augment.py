"""RandAugment applies one of its operations at a time, evenly, and more of it at a larger magnitude."""

import torch
from helpers.images import make_draw, smooth_images

from caudex import views
from caudex.views import (  # fmt: skip
    RandAugment,
)


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
