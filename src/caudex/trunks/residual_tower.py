"""The network of AlphaGo Zero: a tower of residual blocks at the board's own resolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import conv_flops


class TowerBlock(nn.Module):
    """Convolve, normalise, ReLU, convolve, normalise, add, ReLU (Silver et al. 2017, "Neural network architecture")."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu_()
        return (x + self.norm2(self.conv2(y))).relu_()


class ResidualTower(Trunk):
    """`depth` blocks of `width` channels on planes [B, C, H, W], bytes or floats (Silver et al. 2017).

    `layers["map"]` is the last map [B, width, H, W]; heads on it keep the places of the board. `pooled` [B, width] is its mean.
    """

    def __init__(self, channels: int, width: int = 64, depth: int = 4):
        super().__init__()
        stem = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(*(TowerBlock(width) for _ in range(depth)))
        self.channels, self.width, self.widths = channels, width, {"map": width}
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, state: Any = None) -> Features:
        y = self.blocks(self.stem(x.float().contiguous(memory_format=torch.channels_last)))
        return Features(y.mean((2, 3)), {"map": y})

    def flops(self, shape: tuple[int, ...]) -> float:
        _, height, width = shape
        stem = conv_flops(self.channels, self.width, 3, height, width)
        return stem + 2 * len(self.blocks) * conv_flops(self.width, self.width, 3, height, width)
