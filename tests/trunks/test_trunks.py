"""Trunks keep their contract: one vector an example, named intermediates, images as they come."""

import pytest
import torch

from caudex.core.errors import CaudexError
from caudex.trunks import Conv, ResNet

IMAGES = [
    Conv(1, width=4, stages=2),
    ResNet(1, width=4, depth=1),
    ResNet(1, width=4, depth=2, stride=2, norm="group"),
]


@pytest.mark.parametrize("trunk", IMAGES, ids=["conv", "resnet", "resnet-group"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (13, 7), (1, 1)])
def test_images_of_any_size_become_one_vector_each(trunk, height, width):
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
