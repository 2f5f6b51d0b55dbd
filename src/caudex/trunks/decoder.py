"""From a trunk's feature maps back to pixels: the head of signals that predict images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.trunk import Features, Trunk
from caudex.trunks.layers import POOLED_SIGNALS


class Decoder(nn.Module):
    """The trunk's coarsest feature map, upsampled step by step to the sizes of the finer ones: [B, channels, H, W].

    With `skips` the finer maps are added on the way (Lin et al. 2017, figure 3),
    for supervised tasks that need detail; without, all must pass through the coarsest map, which is what teaches it.
    Raises CaudexError for a trunk without maps.
    """

    def __init__(self, trunk: Trunk, channels: int, skips: bool = False):
        super().__init__()
        widths = list(getattr(trunk, "widths", {}).items())[::-1]  # the coarsest first
        if not widths:
            raise CaudexError(
                f"{type(trunk).__name__} has no feature maps; pixels need a trunk such as ResNet or Conv (--trunk small).{POOLED_SIGNALS}"
            )
        self.layer_names = tuple(name for name, _ in widths)
        sizes = [width for _, width in widths]
        self.upsample = nn.ModuleList(_block(a, b) for a, b in zip(sizes, sizes[1:]))
        self.lateral = nn.ModuleList(nn.Conv2d(size, size, 1) for size in sizes[1:]) if skips else None
        self.pixel_head = nn.Sequential(_block(sizes[-1], sizes[-1]), nn.Conv2d(sizes[-1], channels, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(self, features: Features, size: tuple[int, int]) -> Tensor:
        x, *finer = (features.layers[name] for name in self.layer_names)
        for i, (upsample, layer) in enumerate(zip(self.upsample, finer)):
            x = F.interpolate(upsample(x), layer.shape[2:], mode="bilinear")
            if self.lateral is not None:
                x = x + self.lateral[i](layer)
        return self.pixel_head(F.interpolate(x, size, mode="bilinear"))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """The maps of residual trunks come before any ReLU, hence the order."""
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
