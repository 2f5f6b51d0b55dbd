"""Residual networks with the 3x3 stem that small images need (He et al. 2016; Zagoruyko and Komodakis 2016)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import Standardise, StochasticDepth, conv_flops, normalisation


class ResidualBlock(nn.Module):
    """The pre-activation residual block: normalise, ReLU, convolve, twice (He et al. 2016b, figure 4e)."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str, survival: float):
        super().__init__()
        self.norm1, self.norm2 = normalisation(norm, inputs), normalisation(norm, outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride > 1 or inputs != outputs
        # of a 1x1 convolution with a stride and few channels, torch 2.13's backward pass corrupts memory on processors
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if changes else None
        self.stride = stride
        self.stochastic_depth = StochasticDepth(survival)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x).relu_()
        shortcut = x if self.shortcut is None else self.shortcut(y[..., :: self.stride, :: self.stride])
        y = self.conv2(self.norm2(self.conv1(y)).relu_())
        return shortcut + self.stochastic_depth(y)


class ResNet(Trunk):
    """`depth` blocks in each of three stages; `width` channels in the first, doubled in each next.

    `survival` is the survival probability of the last block's branch; it falls linearly from one at the first block (Huang
    et al. 2016, section 3). `stride` of the stem: 2 is four times cheaper.
    Images [B, C, H, W], uint8 or float in [0, 1]; `pooled` [B, 4 * width].
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 16,
        depth: int = 2,
        dropout: float = 0.0,
        survival: float = 1.0,
        norm: str = "batch",
        stride: int = 1,
    ):
        super().__init__()
        self.standardise = Standardise(channels)
        self.stem = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        blocks, inputs = 3 * depth, width
        self.stages = nn.ModuleList()
        for i in range(3):
            outputs, stage = width * 2**i, []
            for j in range(depth):
                block_survival = 1 - (1 - survival) * (i * depth + j) / max(1, blocks - 1)
                stage.append(ResidualBlock(inputs, outputs, 2 if i and not j else 1, norm, block_survival))
                inputs = outputs
            self.stages.append(nn.Sequential(*stage))
        self.norm = normalisation(norm, inputs)
        self.dropout = nn.Dropout(dropout)
        self.width = inputs
        self.widths = {f"stage{i + 1}": width * 2**i for i in range(3)}
        self.to(memory_format=torch.channels_last)  # a third faster on processors

    def forward(self, x: Tensor, state: Any = None) -> Features:
        x, layers = self.stem(self.standardise(x)), {}
        for i, stage in enumerate(self.stages):
            x = layers[f"stage{i + 1}"] = stage(x)
        return Features(self.dropout(F.adaptive_avg_pool2d(self.norm(x).relu_(), 1).flatten(1)), layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        _, height, width = shape
        height, width = -(-height // self.stem.stride[0]), -(-width // self.stem.stride[0])
        total = conv_flops(self.stem.in_channels, self.stem.out_channels, 3, height, width)
        for block in (block for stage in self.stages for block in stage):
            if block.conv1.stride[0] == 2:
                height, width = -(-height // 2), -(-width // 2)
            inputs, outputs = block.conv1.in_channels, block.conv1.out_channels
            total += conv_flops(inputs, outputs, 3, height, width) + conv_flops(outputs, outputs, 3, height, width)
            total += conv_flops(inputs, outputs, 1, height, width) if block.shortcut else 0
        return total
