"""Running statistics of parts are those of the whole."""

import numpy as np
import torch
from pytest import approx

from caudex.trunks import Identity, ImageNormaliser, ObservationNormaliser, Wrapped


def test_statistics_of_parts_are_those_of_the_whole():
    trunk, data = ObservationNormaliser(Identity(3), 3), torch.randn(100, 3) * 5 + 2
    for part in data.split(33):
        trunk.update_statistics(part)
    assert trunk(data).pooled.mean(0) == approx(np.zeros(3), abs=1e-3)
    assert trunk(data).pooled.std(0, correction=0) == approx(np.ones(3), abs=1e-3)
    assert trunk(data + 1e6).pooled.max() == 10


def test_images_are_standardised_by_channel():
    trunk = ImageNormaliser(Wrapped(torch.nn.Flatten(), 2 * 3 * 4), 2)
    images = torch.stack([torch.randint(0, 2, (50, 3, 4)), torch.randint(0, 11, (50, 3, 4))], 1).to(torch.uint8)
    trunk.update_statistics(images)
    standardised = trunk(images).pooled.view(50, 2, 3, 4)
    assert standardised.mean((0, 2, 3)) == approx(np.zeros(2), abs=1e-3)
    assert standardised.std((0, 2, 3), correction=0) == approx(np.ones(2), abs=1e-3)
    assert ((standardised[:, 0] > 0) == (images[:, 0] == 1)).all()


def test_a_forward_pass_does_not_move_statistics():
    trunk = ObservationNormaliser(Identity(3), 3).train()
    trunk.update_statistics(torch.randn(50, 3) * 5 + 2)
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    trunk(torch.randn(50, 3) - 9)
    assert {"mean", "variance"} <= before.keys()
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())
