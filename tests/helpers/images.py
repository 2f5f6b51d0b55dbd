"""Images and draws of random numbers for them."""

import torch

from caudex.views import (  # fmt: skip
    Draw,
)


def smooth_images(batch=12, channels=3, side=16, cells=4):
    """Smooth random images, with the full range of values."""
    noise = torch.rand(batch, channels, cells, cells, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise, size=(side, side), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round().to(torch.uint8)


def make_draw(batch=12, seed=0, epoch=0):
    return Draw(seed, epoch, torch.arange(batch))


def image_of_dot(row, column, side=9):
    image = torch.zeros(1, 1, side, side)
    image[0, 0, row, column] = 1
    return image
