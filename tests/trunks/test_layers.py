"""Standardising, and stochastic depth."""

import pytest
import torch

from caudex.trunks import ResNet, Standardise, StochasticDepth


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
