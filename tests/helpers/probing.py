"""Images and trunks to probe."""

import torch

from caudex.core.trunk import Features, Trunk
from caudex.data import ImageSet, InMemoryImages
from caudex.trunks import Standardise


def image_set(pixels, labels=None):
    labels = torch.zeros(len(pixels), dtype=torch.long) if labels is None else labels
    return ImageSet(InMemoryImages(pixels, [""] * len(pixels)), labels, ("dark", "bright"))


def noise_pixels(count=40, channels=1, side=8):
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8)


class HalvesTrunk(Trunk):
    """Its one map [B, 2, H, W] is the standardised image, positive or negative; pooled is its mean."""

    def __init__(self):
        super().__init__()
        self.standardise, self.width, self.widths, self.passes = Standardise(1), 1, {"map": 2}, []

    def forward(self, x, state=None):
        self.passes.append((len(x), self.training, torch.is_grad_enabled()))
        x = self.standardise(x)
        return Features(x.mean((2, 3)), {"map": torch.cat([x, 3 * x], 1)})
