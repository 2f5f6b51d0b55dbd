"""Where in the image each channel fires: the spatial soft-arg-max."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.trunk import Features, Trunk


class SpatialSoftmax(Trunk):
    """A trunk of maps whose `pooled` [B, 2 * channels] is the expected place of each channel of `layer`, x and y in [-1, 1].

    The mean over a map, as classifiers pool it, forgets where something is. Each channel has a temperature that is learned.
    Sources: Levine et al. 2016, section 5.2; Finn et al. 2016.
    """

    def __init__(self, trunk: Trunk, layer: str = "stage3"):
        super().__init__()
        self.trunk, self.layer, channels = trunk, layer, trunk.widths[layer]
        self.norm = nn.BatchNorm2d(channels)
        self.log_sharpness = nn.Parameter(torch.zeros(channels, 1))
        self.width, self.widths = 2 * channels, trunk.widths

    @property
    def standardise(self) -> nn.Module:
        return self.trunk.standardise

    def forward(self, x: Tensor, state: Any = None) -> Features:
        layers = self.trunk(x).layers
        maps = self.norm(layers[self.layer])  # [B, C, H, W]
        weights = (maps.flatten(2) * self.log_sharpness.exp()).softmax(2).view_as(maps)
        height, width = maps.shape[2:]
        x = weights.sum(2) @ torch.linspace(-1, 1, width, device=x.device)  # [B, C]
        y = weights.sum(3) @ torch.linspace(-1, 1, height, device=x.device)
        return Features(torch.cat([x, y], 1), layers)

    def flops(self, shape: tuple[int, ...]) -> float:
        return self.trunk.flops(shape)
