"""Random views that change colours, sharpness and single pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from caudex.views.draw import Draw
from caudex.views.operations import LUMA, add_noise, adjust_colour, blur_or_sharpen, cutout, true_rows
from caudex.views.view import View


@dataclass(frozen=True)
class ColorJitter(View):
    """SimCLR's colour jitter with chance p: each strength is the largest change of that amount of `adjust_colour`.

    The defaults are the paper's strength 0.5, for small images (Chen et al. 2020, appendix B.9).
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.8

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        is_jittered = draw.bernoulli(self.p)
        names = ("brightness", "contrast", "saturation", "hue")
        changes = draw.uniform(4, low=-1.0, high=1.0) * is_jittered[:, None]
        amounts = {name: changes[:, i] * getattr(self, name) for i, name in enumerate(names)}
        return adjust_colour(images, **{name: amount.clamp(min=-1) for name, amount in amounts.items()})


@dataclass(frozen=True)
class RandomGrayscale(View):
    """Colour taken away, with chance p."""

    p: float = 0.2

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        rows = true_rows(draw.bernoulli(self.p))
        if images.shape[1] == 3:
            luma = torch.einsum("bchw,c->bhw", images.index_select(0, rows), LUMA.to(images.device, torch.float32))
            images.index_copy_(0, rows, luma.clamp_(0, 1)[:, None].expand(-1, 3, -1, -1))
        return images


@dataclass(frozen=True)
class GaussianBlur(View):
    """A Gaussian blur of a standard deviation from `sigma`, in pixels, with chance p (Chen et al. 2020, appendix A)."""

    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = 0.5

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        rows = true_rows(draw.bernoulli(self.p))
        sigma = draw.uniform(low=self.sigma[0], high=self.sigma[1])[rows] / images.shape[2]
        return images.index_copy_(0, rows, blur_or_sharpen(images.index_select(0, rows), blur=sigma))


@dataclass(frozen=True)
class GaussianNoise(View):
    """Gaussian noise of standard deviation `std` on every value."""

    std: float = 0.1

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        return add_noise(images, draw, images.new_full(images.shape[:1], self.std))


@dataclass(frozen=True)
class Cutout(View):
    """A square of `share` of the side, at a random position inside, becomes black."""

    share: float = 0.5

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        return cutout(images, draw, images.new_full(images.shape[:1], self.share))
