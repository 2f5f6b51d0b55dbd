"""NatureCNN: the convolutional trunk of deep Q-learning, for frames of games."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import conv_flops, linear_flops

NATURE_LAYERS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""(channels, kernel, stride) of each convolution for 84x84 frames"""
EFFICIENT_LAYERS = ((32, 5, 5), (64, 5, 5))
"""for the same, from few steps (van Hasselt et al. 2019)"""
MINATAR_LAYERS = ((16, 3, 1),)
"""for frames of ten pixels, as of MinAtar (Young and Tian 2019, section 4)"""
LARGE_FRAME = 36
"""pixels of the shorter side from which frames are seen by the published convolutions"""


class NatureCNN(Trunk):
    """Frames uint8 [B, C, H, W] (or floats in [0, 1]) to `pooled` [B, width]: convolutions and a linear map, each with ReLU;
    with `width` 0 the convolutions alone, for heads that have layers of their own.

    Source: Mnih et al. 2015, methods. `layers` defaults to theirs, for frames below 36 pixels to `MINATAR_LAYERS`.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int = 512,
        layers: Sequence[tuple[int, int, int]] | None = None,
    ):
        super().__init__()
        channels, *size = shape
        layers = layers or (NATURE_LAYERS if min(size) >= LARGE_FRAME else MINATAR_LAYERS)
        self.convs, self._flops = nn.ModuleList(), 0.0
        for out, kernel, stride in layers:
            self.convs.append(nn.Conv2d(channels, out, kernel, stride))
            size = [(length - kernel) // stride + 1 for length in size]
            self._flops += conv_flops(channels, out, kernel, *size)
            channels = out
        flat = channels * size[0] * size[1]
        self.linear, self.width = (nn.Linear(flat, width), width) if width else (None, flat)
        self._flops += linear_flops(flat, width)
        for layer in (*self.convs, *([self.linear] if width else [])):
            nn.init.orthogonal_(layer.weight, 2**0.5)
            nn.init.zeros_(layer.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, state: Any = None) -> Features:
        images, layers = x.contiguous(memory_format=torch.channels_last), {}  # as bytes, of which there are fewer
        x = images.to(self.convs[0].weight.dtype)
        if images.dtype == torch.uint8:
            x.mul_(1 / 255)
        for i, conv in enumerate(self.convs):
            x = layers[f"conv{i + 1}"] = conv(x).relu_()
        x = x.permute(0, 2, 3, 1).flatten(1)  # as it lies in memory: else copied, and each gradient with it
        if self.linear:
            x = self.linear(x).relu()
        return Features(x, layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        return self._flops
