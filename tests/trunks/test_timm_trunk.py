"""Models of timm, by a stand-in for the package: it needs torchvision, which the tests do not have."""

import json
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from caudex.core.errors import CaudexError
from caudex.trunks.pretrained import build_pretrained, open_pretrained


class FakeResNet(nn.Module):
    """The methods of timm's models that are called."""

    def __init__(self, channels=3):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(channels, 4, 3, 2, 1), nn.Conv2d(4, 6, 3, 2, 1)])
        self.pretrained_cfg = {"input_size": (channels, 32, 32), "mean": (0.5, 0.4, 0.3), "std": (0.25, 0.5, 1.0)}

    def forward_intermediates(self, x, indices, output_fmt):
        maps = []
        for conv in self.convs:
            x = conv(x)
            maps.append(x)
        return x, maps[-indices:]

    def forward_head(self, x):
        return x.mean((2, 3))


@pytest.fixture
def timm(monkeypatch):
    def create_model(name, pretrained, num_classes):
        torch.manual_seed(1 if pretrained else 0)
        return FakeResNet(1 if name == "resnet_grey" else 3)

    module = ModuleType("timm")
    module.list_models, module.create_model = lambda: ["resnet18", "resnet_grey"], create_model
    monkeypatch.setitem(sys.modules, "timm", module)


@torch.no_grad()
def test_features_are_those_of_timm_on_standardised_images(timm):
    trunk, config, sha256 = open_pretrained("timm:resnet18.a1_in1k")
    images = torch.rand(2, 3, 32, 32)
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), torch.tensor([0.25, 0.5, 1.0]).view(3, 1, 1)
    last, maps = trunk.network.forward_intermediates((images - mean) / std, 4, "NCHW")
    features = trunk(images)
    torch.testing.assert_close(features.pooled, last.mean((2, 3)))
    torch.testing.assert_close(features.layers, {"stage1": maps[0], "stage2": maps[1]})
    assert (trunk.width, trunk.widths, trunk.image_size, len(sha256)) == (6, {"stage1": 4, "stage2": 6}, 32, 64)
    assert trunk.flops((3, 32, 32)) == 2 * (4 * 3 * 9 * 16 * 16 + 6 * 4 * 9 * 8 * 8)
    assert config["timm"] == "resnet18"
    copy = build_pretrained(json.loads(json.dumps(config)))
    assert not torch.equal(copy(images).pooled, features.pooled)
    copy.load_state_dict(trunk.state_dict())
    assert torch.equal(copy(images).pooled, features.pooled)
    with pytest.raises(CaudexError, match=r"3 channels and 48 x 48 pixels do not fit timm's resnet18; it takes"):
        trunk(torch.rand(2, 3, 48, 48))


def test_names_that_timm_does_not_list_are_refused(timm):
    with pytest.raises(CaudexError, match=r"timm:resnet81 is not among timm's models\. Did you mean resnet18\?"):
        open_pretrained("timm:resnet81")
    with pytest.raises(CaudexError, match="images of 1 channels"):
        open_pretrained("timm:resnet_grey")
    config = {"timm": "hf-hub:someone/model", "image_size": 32, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    for name in ("hf-hub:someone/model", "local-dir:/tmp", ""):
        with pytest.raises(CaudexError, match="is not among timm's models"):
            build_pretrained(config | {"timm": name})
    with pytest.raises(CaudexError, match="caudex builds no such network"):
        build_pretrained(config | {"timm": 7})


def test_without_timm_one_sentence_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(CaudexError, match=r"timm cannot be imported .*torchvision, whose wheel on PyPI does not load"):
        open_pretrained("timm:resnet18")
