"""Random views that move pixels: crops, flips, shifts, rotations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.draw import Draw
from caudex.views.operations import affine, gather_pixels, shifted_coordinates, true_rows
from caudex.views.view import View


@dataclass(frozen=True)
class RandomCrop(View):
    """A crop of the image's own size out of the image padded by its reflection (He et al. 2016, section 4.2)."""

    padding: int = 4

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        sides = images.shape[2:]
        if self.padding >= min(sides):
            raise CaudexError(
                f"RandomCrop(padding={self.padding}): padding reflects more than an image of {sides[0]} x {sides[1]} holds; "
                f"try padding={min(sides) // 8}."
            )
        coordinates = shifted_coordinates(draw, self.padding, sides)
        rows, columns = (
            side - 1 - (side - 1 - axis.abs()).abs() for side, axis in zip(sides, coordinates)
        )  # reflected
        return gather_pixels(images, rows, columns)


@dataclass(frozen=True)
class RandomResizedCrop(View):
    """A crop of random area and aspect ratio, resized to the whole image (Szegedy et al. 2015, section 6).

    A crop that does not fit is cut to fit, where the usual code draws again.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        height, width = images.shape[2:]
        area = draw.uniform(low=self.scale[0], high=self.scale[1]).log()
        ratio = draw.uniform(low=math.log(self.ratio[0]), high=math.log(self.ratio[1])) - math.log(width / height)
        log_scales = -torch.stack([area + ratio, area - ratio], 1).div(2).clamp(max=0)  # [B, 2]: how wide, how high
        shifts = (log_scales.exp() - 1) / 2 * draw.uniform(2, low=-1.0, high=1.0)
        (scale_x, scale_y), (x, y) = log_scales.unbind(1), shifts.unbind(1)
        return affine(images, shift_x=x, shift_y=y, scale=(scale_x + scale_y) / 2, stretch=(scale_x - scale_y) / 2)


@dataclass(frozen=True)
class RandomHorizontalFlip(View):
    """Left and right swapped, with chance p."""

    p: float = 0.5

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        rows = true_rows(draw.bernoulli(self.p))
        return images.index_copy_(0, rows, images.index_select(0, rows).flip(3))


@dataclass(frozen=True)
class RandomTranslation(View):
    """Shifted by up to `share` of each side."""

    share: float = 0.1
    fill: str = "border"
    """what fills the gap: `border` repeats the last pixels, which keeps dark backgrounds dark; or reflect, black"""

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        x, y = draw.uniform(2, low=-self.share, high=self.share).unbind(1)
        return affine(images, fill=self.fill, shift_x=x, shift_y=y)


@dataclass(frozen=True)
class RandomRotation(View):
    """Rotated about the centre by up to `degrees` either way."""

    degrees: float = 15.0
    fill: str = "border"

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        return affine(images, fill=self.fill, rotate=draw.uniform(low=-self.degrees, high=self.degrees))


@dataclass(frozen=True)
class RandomScale(View):
    """Enlarged or shrunk about the centre by a factor of up to 1 + share."""

    share: float = 0.2
    fill: str = "border"

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        scale = draw.uniform(low=-1.0, high=1.0) * math.log1p(self.share)
        return affine(images, fill=self.fill, scale=scale)


@dataclass(frozen=True)
class RandomShear(View):
    """Sheared along one of the axes, by up to `slope` either way."""

    slope: float = 0.3
    fill: str = "border"

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        slope, along_x = draw.uniform(low=-self.slope, high=self.slope), draw.bernoulli(0.5)
        return affine(images, fill=self.fill, shear_x=slope * along_x, shear_y=slope * ~along_x)
