"""Trunks keep their contract: one vector an example, named intermediates, images as they come."""

import pytest
import torch
from torch import nn

from caudex.core.errors import CaudexError
from caudex.core.trunk import Wrapped, width_of
from caudex.trunks import MLP, Conv, Identity, ResNet, Standardise, StochasticDepth

IMAGES = [
    Conv(1, width=4, stages=2),
    ResNet(1, width=4, depth=1),
    ResNet(1, width=4, depth=2, stride=2, norm="group"),
]


@pytest.mark.parametrize("trunk", IMAGES, ids=["conv", "resnet", "resnet-group"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (13, 7), (1, 1)])
def test_pictures_of_any_size_become_one_vector_each(trunk, height, width):
    trunk.eval()
    images = torch.randint(0, 256, (3, 1, height, width), dtype=torch.uint8)
    features = trunk(images)
    assert features.pooled.shape == (3, trunk.width)
    assert features.pooled.dtype == torch.float32
    assert all(len(layer) == 3 for layer in features.layers.values())
    torch.testing.assert_close(trunk(images.float() / 255).pooled, features.pooled)


@pytest.mark.parametrize("trunk", IMAGES, ids=["conv", "resnet", "resnet-group"])
def test_a_prediction_does_not_depend_on_the_rest_of_the_batch(trunk):
    trunk.eval()
    images = torch.rand(5, 1, 9, 9)
    torch.testing.assert_close(trunk(images[2:3]).pooled, trunk(images).pooled[2:3])


def test_group_normalisation_does_not_mix_examples_even_in_training():
    trunk = Conv(1, width=4, stages=2, norm="group").train()
    images = torch.rand(5, 1, 9, 9)
    torch.testing.assert_close(trunk(images[:2]).pooled, trunk(images).pooled[:2])
    with pytest.raises(CaudexError, match="'layer' is unknown; choose 'batch' or 'group'"):
        Conv(norm="layer")


def test_layers_are_named_and_halve():
    layers = ResNet(1, width=4, depth=1)(torch.rand(2, 1, 16, 16)).layers
    assert {name: tuple(layer.shape) for name, layer in layers.items()} == {
        "stage1": (2, 4, 16, 16),
        "stage2": (2, 8, 8, 8),
        "stage3": (2, 16, 4, 4),
    }


def test_standardising_takes_mean_and_deviation_from_pictures():
    standardise = Standardise(2)
    dark, bright = torch.zeros(1, 2, 2, 2, dtype=torch.uint8), torch.full((1, 2, 2, 2), 255, dtype=torch.uint8)
    bright[:, 1] = 0
    images = torch.cat([dark, bright])
    standardise.measure(images)
    deviation = (8 / 7 * 0.25) ** 0.5  # of four noughts and four ones
    assert standardise.mean.flatten().tolist() == [0.5, 0]
    assert standardise.deviation.flatten().tolist() == pytest.approx([deviation, 0.02])  # never divides by nothing
    assert standardise(images)[:, 0].unique().tolist() == pytest.approx([-0.5 / deviation, 0.5 / deviation])
    assert standardise(images)[:, 1].abs().max() == 0


def test_stochastic_depth_drops_whole_branches_and_keeps_the_mean():
    drop, branch = StochasticDepth(0.25).train(), torch.ones(4000, 2, 3)
    kept = drop(branch)
    assert kept.flatten(1).unique(dim=0).tolist() == [[0.0] * 6, [4.0] * 6]
    assert kept.mean().item() == pytest.approx(1, abs=0.12)
    assert torch.equal(drop.eval()(branch), branch)


def test_branches_survive_less_the_deeper_they_are():
    trunk = ResNet(1, width=4, depth=2, survival=0.5)
    told = [block.drop.survival for stage in trunk.stages for block in stage]
    assert told == pytest.approx([1, 0.9, 0.8, 0.7, 0.6, 0.5])


def test_a_residual_block_with_silent_branches_is_the_identity():
    trunk = ResNet(1, width=4, depth=2).eval()
    block = trunk.stages[0][1]
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)


def test_a_multilayer_perceptron_flattens_and_names_its_layers():
    trunk = MLP(6, (4, 3))
    features = trunk(torch.randn(2, 2, 3))
    assert list(features.layers) == ["layer1", "layer2"]
    assert features.layers["layer2"] is features.pooled
    first, second = trunk.layers
    x = torch.randn(1, 6)
    torch.testing.assert_close(trunk(x).pooled, second(first(x).relu()).relu())


def test_any_module_can_be_a_trunk():
    assert Wrapped(nn.Linear(3, 5), width=5)(torch.randn(2, 3)).pooled.shape == (2, 5)
    with pytest.raises(CaudexError, match=r"returned shape \(2, 5\), but its width was given as 4"):
        Wrapped(nn.Linear(3, 5), width=4)(torch.randn(2, 3))
    with pytest.raises(CaudexError, match=r"Linear has no feature size; use trunks\.Wrapped"):
        width_of(nn.Linear(3, 5))
    x = torch.randn(2, 3)
    assert Identity(3)(x).pooled is x
