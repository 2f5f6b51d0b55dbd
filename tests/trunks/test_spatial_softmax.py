"""The spatial soft-arg-max: it says where a channel fires."""

import torch
from pytest import approx

from caudex.core.trunk import Features, Trunk
from caudex.trunks import ResNet, SpatialSoftmax


class Maps(Trunk):
    """The observation itself is the map."""

    widths = {"map": 2}  # noqa: RUF012

    def forward(self, x, state=None):
        return Features(x.flatten(1), {"map": x})


def test_a_sharp_peak_is_where_it_stands_and_an_even_map_is_in_the_middle():
    trunk = SpatialSoftmax(Maps(), "map").eval()
    maps = torch.zeros(1, 2, 5, 9)
    maps[0, 0, 1, 6] = 100.0  # the second of 5 rows, the seventh of 9 columns
    assert trunk.width == 4
    assert trunk(maps).pooled[0].tolist() == approx([0.5, 0.0, -0.5, 0.0], abs=1e-4)  # x of both, then y of both


def test_two_equal_peaks_are_between():
    maps = torch.zeros(1, 2, 3, 5)
    maps[0, 1, 0, 0] = maps[0, 1, 0, 4] = 60.0
    assert SpatialSoftmax(Maps(), "map").eval()(maps).pooled[0, 1::2].tolist() == approx([0, -1], abs=1e-4)


def test_on_a_residual_net_it_has_gradients_everywhere():
    trunk = SpatialSoftmax(ResNet(3, 4, 1, stride=2))
    pooled = trunk(torch.rand(2, 3, 16, 16)).pooled
    assert pooled.shape == (2, 32) and pooled.abs().max() <= 1
    pooled.square().sum().backward()
    unused = {"trunk.norm.weight", "trunk.norm.bias"}  # of the pooling that is replaced
    assert {name for name, weight in trunk.named_parameters() if weight.grad is None} == unused
