"""Running statistics of parts are those of the whole."""

import numpy as np
import torch
from pytest import approx

from caudex.trunks import Identity, ObservationNormaliser


def test_statistics_of_parts_are_those_of_the_whole():
    trunk, data = ObservationNormaliser(Identity(3), 3), torch.randn(100, 3) * 5 + 2
    for part in data.split(33):
        trunk.update_statistics(part)
    assert trunk(data).pooled.mean(0) == approx(np.zeros(3), abs=1e-3)
    assert trunk(data).pooled.std(0, correction=0) == approx(np.ones(3), abs=1e-3)
    assert trunk(data + 1e6).pooled.max() == 10
