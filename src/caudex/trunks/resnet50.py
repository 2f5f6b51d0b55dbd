"""ResNet-50 and its wide and deep kin: the trunk of most publications on images (He et al. 2016a, table 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import Standardise, conv_flops


class Bottleneck(nn.Module):
    """1x1 convolution to `inner` channels, 3x3, 1x1 to four times as many (He et al. 2016a, figure 5, right).

    The stride is in the 3x3 convolution, and the last scale starts at zero, so that a new block hands on its shortcut
    (Goyal et al. 2017, section 5.1).
    """

    def __init__(self, inputs: int, inner: int, stride: int):
        super().__init__()
        outputs = 4 * inner
        self.branch = nn.Sequential(
            _conv(inputs, inner, 1), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            _conv(inner, inner, 3, stride), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            _conv(inner, outputs, 1), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        nn.init.zeros_(self.branch[-1].weight)
        changes = stride > 1 or inputs != outputs
        # of a 1x1 convolution with a stride and few channels, torch 2.13's backward pass corrupts memory on processors
        self.shortcut = nn.Sequential(_conv(inputs, outputs, 1), nn.BatchNorm2d(outputs)) if changes else None
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x[..., :: self.stride, :: self.stride])
        return (shortcut + self.branch(x)).relu_()


class ResNet50(Trunk):
    """`depths` blocks in each stage; 256 * `multiplier` channels in the first, doubled in each next.

    `multiplier` 2 and 4 are SimCLR's wide networks (Chen et al. 2020, table 6); `depths` (3, 4, 23, 3) is ResNet-101.
    `small_images`, for images of about 32 pixels: a 3x3 stem that keeps their size, no max-pooling (same, appendix B.9).
    Images [B, C, H, W], uint8 or float in [0, 1]; `pooled` [B, 2048 * multiplier].
    """

    image_size = 224
    """of the images that published weights were learned from"""

    def __init__(
        self, channels: int = 3, multiplier: float = 1, depths: Sequence[int] = (3, 4, 6, 3), small_images: bool = False
    ):
        super().__init__()
        self.standardise = Standardise(channels)
        inputs = first = round(64 * multiplier)
        conv = _conv(channels, first, 3) if small_images else _conv(channels, first, 7, 2)
        self.stem = nn.Sequential(conv, nn.BatchNorm2d(first), nn.ReLU(inplace=True))
        self.pool = None if small_images else nn.MaxPool2d(3, 2, padding=1)
        self.stages, self.widths = nn.ModuleList(), {}
        for i, depth in enumerate(depths):
            inner, stage = first * 2**i, []
            for j in range(depth):
                stage.append(Bottleneck(inputs, inner, 2 if i and not j else 1))
                inputs = 4 * inner
            self.stages.append(nn.Sequential(*stage))
            self.widths[f"stage{i + 1}"] = inputs
        self.width = inputs
        self.to(memory_format=torch.channels_last)  # a tenth faster on processors

    @property
    def blocks(self) -> nn.Sequential:
        """The stem and the stages, one after the other."""
        return nn.Sequential(nn.Sequential(self.stem, self.pool or nn.Identity()), *self.stages)

    def forward(self, x: Tensor, state: Any = None) -> Features:
        x, layers = self.stem(self.standardise(x)), {}
        if self.pool is not None:
            x = self.pool(x)
        for name, stage in zip(self.widths, self.stages):
            x = layers[name] = stage(x)
        return Features(x.mean((2, 3)), layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        size = _strided(shape[1:], self.stem[0].stride[0])
        total = _flops(self.stem[0], size)
        if self.pool is not None:
            size = _strided(size, 2)
        for block in (block for stage in self.stages for block in stage):
            reduce, across, expand = block.branch[0], block.branch[3], block.branch[6]
            total += _flops(reduce, size)
            size = _strided(size, across.stride[0])
            total += _flops(across, size) + _flops(expand, size)
            total += _flops(block.shortcut[0], size) if block.shortcut else 0
        return total


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")  # He et al. 2015, equation 14
    return conv


def _strided(size: tuple[int, ...], stride: int) -> tuple[int, ...]:
    """Height and width of what a convolution or pooling with this stride makes of a map of this size."""
    return tuple(-(-side // stride) for side in size)


def _flops(conv: nn.Conv2d, size: tuple[int, ...]) -> float:
    """Of one convolution whose result has this height and width."""
    return conv_flops(conv.in_channels, conv.out_channels, conv.kernel_size[0], *size)
