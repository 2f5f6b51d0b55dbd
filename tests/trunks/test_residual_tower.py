"""The tower keeps the board's places, and counts what it costs."""

import torch

from caudex.core.compute import count_flops
from caudex.trunks.residual_tower import ResidualTower


def test_each_place_of_the_map_is_that_of_the_board():
    torch.manual_seed(0)
    tower = ResidualTower(2, 8, 1).eval()
    planes = torch.zeros(2, 2, 9, 9, dtype=torch.uint8)
    planes[1, 0, 1, 7] = 1
    features = tower(planes)
    assert features.pooled.shape == (2, 8) and features.layers["map"].shape == (2, 8, 9, 9)
    reached = (features.layers["map"][1] != features.layers["map"][0]).any(0)
    y, x = reached.nonzero().T
    assert (y.max(), x.min()) == (4, 4)  # three convolutions of 3x3 reach three places in each direction


def test_operations_are_those_that_hooks_count():
    tower = ResidualTower(3, 8, 2)
    with torch.inference_mode(), count_flops(tower) as counter:
        tower.eval()(torch.zeros(5, 3, 6, 7))
    assert counter.flops == 5 * tower.flops((3, 6, 7))
