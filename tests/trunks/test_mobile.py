"""EfficientNet-Lite0: what was published of it, one block by hand, and ImageNet's classes of two photographs."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images
from torch import nn

from caudex.core.compute import count_flops
from caudex.core.fetch import fetch_archive, read_members
from caudex.trunks import EfficientNetLite, fetch_efficientnet_lite
from caudex.trunks.mobile import WEIGHTS, ConvNorm, InvertedBottleneck


def test_it_has_the_size_and_the_operations_of_the_published_network():
    with torch.device("meta"):
        trunk = EfficientNetLite()
        images = torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
        with count_flops(trunk) as counter, torch.no_grad():
            features = trunk(images)
    # 4.65 million with the head of 1,000 classes on 1,280 features; 0.407 billion multiply-adds (the release's table) with it
    assert sum(p.numel() for p in trunk.parameters()) + 1280 * 1000 + 1000 == 4_652_008
    assert counter.flops == trunk.flops((3, 224, 224))
    assert counter.flops / 2 + 1280 * 1000 == pytest.approx(0.385e9, rel=0.005)
    assert features.pooled.shape == (1, trunk.width) == (1, 1280)
    maps = {name: tuple(layer.shape[1:]) for name, layer in features.layers.items()}
    assert maps == {
        "stage1": (16, 112, 112), "stage2": (24, 56, 56), "stage3": (40, 28, 28), "stage4": (80, 14, 14),
        "stage5": (112, 14, 14), "stage6": (192, 7, 7), "stage7": (320, 7, 7),
    }  # fmt: skip
    assert trunk.widths == {name: shape[0] for name, shape in maps.items()}


def test_a_block_by_hand():
    block = InvertedBottleneck(1, 1, expansion=2, kernel=3, stride=1, survival=1.0).eval()
    expand, depthwise, project = block.layers
    for layer in block.layers:
        layer.norm.eps = 0.0
    with torch.no_grad():
        expand.conv.weight.copy_(torch.tensor([2.0, -1.0]).view(2, 1, 1, 1))
        depthwise.conv.weight.fill_(1.0)
        project.conv.weight.copy_(torch.tensor([1.0, 10.0]).view(1, 2, 1, 1))
    x = torch.tensor([[1.0, 2.0], [-1.0, 4.0]]).view(1, 1, 2, 2)
    # expanded: 2x = (2, 4, -2, 8), cut to (2, 4, 0, 6); -x = (-1, -2, 1, -4), cut to (0, 0, 1, 0)
    # every 3x3 window of a 2x2 map holds all four: sums 12, cut to 6, and 1; projected 6 + 10; and x on top
    assert torch.equal(block(x).view(-1), x.view(-1) + 16)


def test_the_padding_is_tensorflows():
    # four pixels, stride 2, kernel 3: the windows begin at 0 and 2, with one pixel of padding behind and none in front
    layer = ConvNorm(1, 1, 3, stride=2, linear=True).eval()
    layer.norm.eps = 0.0
    nn.init.ones_(layer.conv.weight)
    rows = layer(torch.arange(4.0).view(1, 1, 1, 4))
    assert rows.view(-1).tolist() == [0 + 1 + 2, 2 + 3]


def test_a_branch_is_dropped_more_often_the_later_it_comes():
    trunk = EfficientNetLite(survival=0.7)
    chances = [block.stochastic_depth.survival for block in trunk.blocks if isinstance(block, InvertedBottleneck)]
    assert chances[0] == 1 and chances[-1] == pytest.approx(0.7) and chances == sorted(chances, reverse=True)


def test_the_published_weights_know_a_daisy_and_a_monastery():
    trunk, sha256 = fetch_efficientnet_lite()
    assert sha256.startswith("57934424")  # as the file's own name says
    (content,) = (content for _, content in read_members(fetch_archive(WEIGHTS), ".pth"))
    published = torch.load(io.BytesIO(content), weights_only=True)
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    pixels = [np.array(ImageOps.fit(photo, (224, 224), Image.Resampling.BICUBIC)) for photo in photos]
    with torch.no_grad():
        pooled = trunk.eval()(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)).pooled
    temple, flower = (pooled @ published["_fc.weight"].T + published["_fc.bias"]).softmax(1)
    assert flower.argmax() == 985  # daisy
    assert set(temple.topk(3).indices.tolist()) == {663, 442, 698}  # monastery, bell cote, palace
