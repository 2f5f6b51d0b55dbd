"""Standardising, stochastic depth, batch statistics of halves, pooled maps."""

import pytest
import torch

from caudex.trunks import ResNet, Standardise, StochasticDepth
from caudex.trunks.layers import HalvesBatchNorm2d, pool_map


def test_standardising_takes_mean_and_std_from_images():
    standardise = Standardise(2)
    dark, bright = torch.zeros(1, 2, 2, 2, dtype=torch.uint8), torch.full((1, 2, 2, 2), 255, dtype=torch.uint8)
    bright[:, 1] = 0
    images = torch.cat([dark, bright])
    standardise.set_statistics(images)
    std = (8 / 7 * 0.25) ** 0.5  # of four noughts and four ones
    assert standardise.mean.flatten().tolist() == [0.5, 0]
    assert standardise.std.flatten().tolist() == pytest.approx([std, 0.02])  # never divides by nothing
    assert standardise(images)[:, 0].unique().tolist() == pytest.approx([-0.5 / std, 0.5 / std])
    assert standardise(images)[:, 1].abs().max() == 0


def test_stochastic_depth_drops_whole_branches_and_keeps_the_mean():
    drop, branch = StochasticDepth(0.25).train(), torch.ones(4000, 2, 3)
    dropped = drop(branch)
    assert dropped.flatten(1).unique(dim=0).tolist() == [[0.0] * 6, [4.0] * 6]
    assert dropped.mean().item() == pytest.approx(1, abs=0.12)
    assert torch.equal(drop.eval()(branch), branch)


def test_branches_survive_less_the_deeper_they_are():
    trunk = ResNet(1, width=4, depth=2, survival=0.5)
    survivals = [block.stochastic_depth.survival for stage in trunk.stages for block in stage]
    assert survivals == pytest.approx([1, 0.9, 0.8, 0.7, 0.6, 0.5])


def test_each_half_of_a_batch_is_normalised_by_its_own_statistics():
    norm, plain = HalvesBatchNorm2d(3), torch.nn.BatchNorm2d(3)
    dark, bright = torch.randn(4, 3, 5, 5), 50 + 9 * torch.randn(4, 3, 5, 5)
    halves = norm(torch.cat([dark, bright])).chunk(2)
    torch.testing.assert_close(halves[0], plain(dark))
    torch.testing.assert_close(halves[1], plain(bright))
    torch.testing.assert_close(norm.running_mean, plain.running_mean)  # of both, one after the other
    torch.testing.assert_close(norm.eval()(dark), plain.eval()(dark))


def test_every_normalisation_of_a_trunk_is_replaced_and_weights_have_the_same_names():
    trunk, plain = ResNet(1, 4, 1), ResNet(1, 4, 1)
    HalvesBatchNorm2d.convert(trunk)
    norms = [module for module in trunk.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 7 and {type(norm) for norm in norms} == {HalvesBatchNorm2d}
    trunk.load_state_dict(plain.state_dict())
    images = torch.rand(6, 1, 8, 8)
    torch.testing.assert_close(trunk.eval()(images).pooled, plain.eval()(images).pooled)


def test_a_map_becomes_the_means_of_its_positive_and_negative_parts():
    x = torch.tensor([[[[4.0, -2.0], [0.0, 0.0]]]])
    assert pool_map(x).tolist() == [[1.0, 0.5]]
