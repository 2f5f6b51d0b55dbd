"""ResNet-50 against what was published of it: parameters, operations, maps, and how its blocks start."""

import pytest
import torch
from torch import nn

from caudex.core.compute import count_flops
from caudex.trunks import ResNet50
from caudex.trunks.resnet50 import Bottleneck


def on_meta_device(**settings):
    with torch.device("meta"):
        return ResNet50(**settings)


def tiny_resnet50(**settings):
    return ResNet50(**({"multiplier": 1 / 16, "depths": (1, 2, 1, 1)} | settings))


def count_parameters(trunk):
    return sum(p.numel() for p in trunk.parameters())


def test_it_has_the_parameters_of_resnet_50_without_its_classifier():
    assert count_parameters(on_meta_device()) == 23_508_032
    assert count_parameters(on_meta_device(depths=(3, 4, 23, 3))) == 42_500_160  # ResNet-101


@pytest.mark.parametrize(("multiplier", "millions"), [(1, 24), (2, 94), (4, 375)])
def test_wide_ones_have_the_parameters_of_simclrs_paper(multiplier, millions):
    # Chen et al. 2020, table 6
    trunk = on_meta_device(multiplier=multiplier)
    assert round(count_parameters(trunk) / 1e6) == millions
    assert trunk.width == 2048 * multiplier


def test_maps_of_images_of_224_pixels():
    # He et al. 2016a, table 1
    trunk = on_meta_device()
    features = trunk(torch.zeros(2, 3, 224, 224, dtype=torch.uint8, device="meta"))
    assert {name: tuple(layer.shape) for name, layer in features.layers.items()} == {
        "stage1": (2, 256, 56, 56),
        "stage2": (2, 512, 28, 28),
        "stage3": (2, 1024, 14, 14),
        "stage4": (2, 2048, 7, 7),
    }
    assert features.pooled.shape == (2, 2048) == (2, trunk.width)
    assert trunk.widths == {"stage1": 256, "stage2": 512, "stage3": 1024, "stage4": 2048}


def test_small_images_keep_their_size_in_the_stem():
    trunk = tiny_resnet50(small_images=True)
    layers = trunk(torch.rand(2, 3, 32, 32)).layers
    assert [layer.shape[-1] for layer in layers.values()] == [32, 16, 8, 4]
    assert trunk.widths == {name: layer.shape[1] for name, layer in layers.items()}
    assert trunk.stem[0].kernel_size == (3, 3)


@pytest.mark.parametrize("small_images", [False, True])
@pytest.mark.parametrize(("height", "width"), [(40, 33), (13, 7), (1, 1)])
def test_images_of_any_size_become_one_vector_each(small_images, height, width):
    trunk = tiny_resnet50(channels=1, small_images=small_images).eval()
    images = torch.randint(0, 256, (3, 1, height, width), dtype=torch.uint8)
    pooled = trunk(images).pooled
    assert pooled.shape == (3, trunk.width) == (3, 128)
    torch.testing.assert_close(trunk(images.float() / 255).pooled, pooled)
    torch.testing.assert_close(trunk(images[1:2]).pooled, pooled[1:2])


def measured_flops(trunk, *shape):
    device = next(trunk.parameters()).device
    with torch.no_grad(), count_flops(trunk) as counter:
        trunk(torch.zeros(2, *shape, device=device))
    return counter.flops


@pytest.mark.parametrize("shape", [(3, 224, 224), (3, 32, 32), (3, 29, 50)], ids=str)
@pytest.mark.parametrize("small_images", [False, True])
def test_the_formula_agrees_with_the_hooks(shape, small_images):
    trunk = on_meta_device(small_images=small_images)
    assert measured_flops(trunk, *shape) == 2 * trunk.flops(shape)


def test_an_image_costs_the_published_4_1_billion_multiply_adds():
    trunk = on_meta_device()
    assert trunk.flops((3, 224, 224)) / 2 == pytest.approx(4.09e9, rel=0.005)
    # Stride 2 in the 1x1 convolutions, as in 2016, would be 3.8e9.
    strides = [[block.branch[i].stride[0] for i in (0, 3, 6)] for block in trunk.stages[1]]
    assert strides == [[1, 2, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("training", [False, True])
def test_a_new_block_is_its_shortcut(training):
    x = torch.randn(4, 16, 6, 6).relu()  # maps come out of a ReLU
    same, halving = Bottleneck(16, 4, stride=1).train(training), Bottleneck(16, 8, stride=2).train(training)
    assert same.shortcut is None
    assert torch.equal(same(x), x)
    assert torch.equal(halving(x), halving.shortcut(x[..., ::2, ::2]).relu())


def test_a_silent_branch_is_taught_to_speak():
    block = Bottleneck(16, 4, stride=1)
    x = torch.randn(4, 16, 6, 6).relu()
    block(x).square().sum().backward()
    assert block.branch[-1].weight.grad.abs().min() > 0
    nn.init.ones_(block.branch[-1].weight)
    assert not torch.equal(block(x), x)


def test_a_block_by_hand():
    # one channel in each of four; every convolution is a sum, every norm (running mean 0, variance 1) almost nothing
    block = Bottleneck(4, 1, stride=1).eval()
    for layer in block.branch:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
    x = torch.ones(1, 4, 3, 3)
    neighbours = torch.tensor([[4.0, 6, 4], [6, 9, 6], [4, 6, 4]])
    torch.testing.assert_close(block(x)[0, 2], 1 + 4 * neighbours, rtol=1e-4, atol=0)
