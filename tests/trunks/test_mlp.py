"""The multilayer perceptron."""

import torch

from caudex.trunks import MLP


def test_a_multilayer_perceptron_flattens_and_names_its_layers():
    trunk = MLP(6, (4, 3))
    features = trunk(torch.randn(2, 2, 3))
    assert list(features.layers) == ["layer1", "layer2"]
    assert features.layers["layer2"] is features.pooled
    first, second = trunk.layers
    x = torch.randn(1, 6)
    torch.testing.assert_close(trunk(x).pooled, second(first(x).relu()).relu())
