"""Random views with their settings: each image draws its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.draw import Draw
from caudex.views.operations import (
    FILLS,
    LUMA,
    autocontrast,
    cutout,
    focus,
    fresh,
    noise,
    posterize,
    rows_of,
    solarize,
    tone,
    warp,
)

# RandAugment's operations: what does them, and its amount at magnitude 1 (after Cubuk et al. 2019, table 6)
OPERATIONS = {
    "shift_x": (warp, 0.45), "shift_y": (warp, 0.45), "rotate": (warp, 30.0), "shear_x": (warp, 0.3),
    "shear_y": (warp, 0.3), "scale": (warp, 0.4), "brightness": (tone, 0.9), "contrast": (tone, 0.9),
    "saturation": (tone, 0.9), "blur": (focus, 0.06), "sharpness": (focus, 0.9), "posterize": (posterize, 4.0),
    "solarize": (solarize, 1.0), "autocontrast": (autocontrast, 1.0), "noise": (noise, 0.2), "cutout": (cutout, 0.5),
    "identity": (None, 0.0),
}  # fmt: skip

_POSITIVE = lambda value: value >= 0  # noqa: E731
_SHARE = lambda value: 0 <= value <= 1  # noqa: E731
_SETTINGS = {  # what a setting may be, what it is, and one that is good
    "p": (_SHARE, "is a chance, from 0 to 1", 0.5),
    "share": (_SHARE, "is a share of the side, from 0 to 1", 0.1),
    "padding": (_POSITIVE, "counts pixels and cannot be negative", 4),
    "degrees": (lambda value: 0 <= value <= 180, "is the largest angle, from 0 to 180", 15.0),
    "slope": (_SHARE, "is the largest slope, from 0 to 1", 0.3),
    **dict.fromkeys(("brightness", "contrast", "saturation"), (_POSITIVE, "is a strength and cannot be negative", 0.4)),
    "hue": (lambda value: 0 <= value <= 0.5, "is a share of the colour circle, from 0 to 0.5", 0.1),
    "std": (_POSITIVE, "is a deviation and cannot be negative", 0.1),
    "scale": (lambda value: 0 < value[0] <= value[1] <= 1, "is the (least, most) area, in (0, 1]", (0.08, 1.0)),
    "ratio": (lambda value: 0 < value[0] <= value[1], "is (least, most) and above 0", (0.75, 1.33)),
    "sigma": (lambda value: 0 <= value[0] <= value[1], "is (least, most), in pixels", (0.1, 2.0)),
    "fill": (lambda value: value in FILLS, f"is one of {', '.join(FILLS)}", "border"),
    "number": (_POSITIVE, "counts operations and cannot be negative", 2),
    "magnitude": (_SHARE, "lies between 0 and 1", 0.5),
    "operations": (lambda value: value and set(value) <= set(OPERATIONS), f"are some of {', '.join(OPERATIONS)}",
                   ("rotate", "contrast")),
    "views": (lambda value: all(map(callable, value)), "are callables (images, draw)", "(Crop(4), Flip())"),
}  # fmt: skip


class _View:
    """Checks its settings, and hands `see` float32 images that it may write into."""

    def __post_init__(self):
        for name, value in vars(self).items():
            good, why, instead = _SETTINGS[name]
            if not good(value):
                raise CaudexError(f"{type(self).__name__}({name}={value!r}): {name} {why}; try {name}={instead!r}.")

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        images = fresh(images)
        return self.see(images, draw).clamp_(0, 1) if len(images) else images  # interpolation may exceed 1 by 1e-7


@dataclass(frozen=True)
class Compose(_View):
    """One view after another."""

    views: tuple[Callable[[Tensor, Draw], Tensor], ...]

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        for view in self.views:
            images = view(images, draw.of(slice(None)))
        return images


@dataclass(frozen=True)
class Crop(_View):
    """A crop of the image's own size out of the image padded by its reflection (He et al. 2016, section 4.2)."""

    padding: int = 4

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        sides = images.shape[2:]
        if self.padding >= min(sides):
            raise CaudexError(
                f"Crop(padding={self.padding}): padding reflects more than an image of {sides[0]} x {sides[1]} holds; "
                f"try padding={min(sides) // 8}."
            )
        moves = draw.integers(2 * self.padding + 1, 2) - self.padding
        steps = (torch.arange(side, device=moves.device) + move[:, None] for side, move in zip(sides, moves.unbind(1)))
        rows, columns = (side - 1 - (side - 1 - step.abs()).abs() for side, step in zip(sides, steps))  # reflected
        places = (rows[:, :, None] * sides[1] + columns[:, None, :]).flatten(1)[:, None]  # [B, 1, HW]
        return images.flatten(2).gather(2, places.expand(-1, images.shape[1], -1)).view_as(images)


@dataclass(frozen=True)
class ResizedCrop(_View):
    """A part of random area and shape (width over height), stretched to the whole (Szegedy et al. 2015, section 6).

    A part that does not fit is cut to fit, where the usual code draws again.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        height, width = images.shape[2:]
        area = draw.uniform(low=self.scale[0], high=self.scale[1]).log()
        ratio = draw.uniform(low=math.log(self.ratio[0]), high=math.log(self.ratio[1])) - math.log(width / height)
        grown = -torch.stack([area + ratio, area - ratio], 1).div(2).clamp(max=0)  # [B, 2]: how wide, how high
        shifts = (grown.exp() - 1) / 2 * draw.uniform(2, low=-1.0, high=1.0)
        (wider, higher), (x, y) = grown.unbind(1), shifts.unbind(1)
        return warp(images, shift_x=x, shift_y=y, scale=(wider + higher) / 2, stretch=(wider - higher) / 2)


@dataclass(frozen=True)
class Flip(_View):
    """Left and right exchanged, with chance p."""

    p: float = 0.5

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        rows = rows_of(draw.chance(self.p))
        return images.index_copy_(0, rows, images.index_select(0, rows).flip(3))


@dataclass(frozen=True)
class Shift(_View):
    """Moved by up to `share` of each side."""

    share: float = 0.1
    fill: str = "border"
    """what comes in: `border` repeats the last pixels, which keeps dark backgrounds dark; or reflect, black"""

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        x, y = draw.uniform(2, low=-self.share, high=self.share).unbind(1)
        return warp(images, fill=self.fill, shift_x=x, shift_y=y)


@dataclass(frozen=True)
class Rotate(_View):
    """Turned about the centre by up to `degrees` either way."""

    degrees: float = 15.0
    fill: str = "border"

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        return warp(images, fill=self.fill, rotate=draw.uniform(low=-self.degrees, high=self.degrees))


@dataclass(frozen=True)
class Scale(_View):
    """Enlarged or shrunk about the centre by a factor of up to 1 + share."""

    share: float = 0.2
    fill: str = "border"

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        scale = draw.uniform(low=-1.0, high=1.0) * math.log1p(self.share)
        return warp(images, fill=self.fill, scale=scale)


@dataclass(frozen=True)
class Shear(_View):
    """Slanted along one of the axes, by up to `slope` either way."""

    slope: float = 0.3
    fill: str = "border"

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        slope, along_x = draw.uniform(low=-self.slope, high=self.slope), draw.chance(0.5)
        return warp(images, fill=self.fill, shear_x=slope * along_x, shear_y=slope * ~along_x)


@dataclass(frozen=True)
class Colour(_View):
    """SimCLR's colour jitter with chance p: each strength is how far its amount in `tone` may go either way.

    The defaults are the paper's strength 0.5, for small images (Chen et al. 2020, appendix B.9).
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.8

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        chosen = draw.chance(self.p)
        names = ("brightness", "contrast", "saturation", "hue")
        drawn = draw.uniform(4, low=-1.0, high=1.0) * chosen[:, None]
        amounts = {name: drawn[:, i] * getattr(self, name) for i, name in enumerate(names)}
        return tone(images, **{name: amount.clamp(min=-1) for name, amount in amounts.items()})


@dataclass(frozen=True)
class Grey(_View):
    """Colour taken away, with chance p."""

    p: float = 0.2

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        rows = rows_of(draw.chance(self.p))
        if images.shape[1] == 3:
            luma = torch.einsum("bchw,c->bhw", images.index_select(0, rows), LUMA.to(images.device, torch.float32))
            images.index_copy_(0, rows, luma.clamp_(0, 1)[:, None].expand(-1, 3, -1, -1))
        return images


@dataclass(frozen=True)
class Blur(_View):
    """A Gaussian blur of a deviation from `sigma`, in pixels, with chance p (Chen et al. 2020, appendix A)."""

    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = 0.5

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        rows = rows_of(draw.chance(self.p))
        sigma = draw.uniform(low=self.sigma[0], high=self.sigma[1])[rows] / images.shape[2]
        return images.index_copy_(0, rows, focus(images.index_select(0, rows), blur=sigma))


@dataclass(frozen=True)
class Noise(_View):
    """Gaussian noise of deviation `std` on every value."""

    std: float = 0.1

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        return noise(images, draw, images.new_full(images.shape[:1], self.std))


@dataclass(frozen=True)
class Cutout(_View):
    """A square of `share` of the side, at a random place inside, becomes black."""

    share: float = 0.5

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        return cutout(images, draw, images.new_full(images.shape[:1], self.share))


@dataclass(frozen=True)
class RandAugment(_View):
    """`number` random operations an image, all of one magnitude (Cubuk et al. 2020, section 3).

    The paper's operations but for equalize, with scale, blur, noise and cutout besides.
    """

    number: int = 2
    magnitude: float = 0.5
    operations: tuple[str, ...] = tuple(OPERATIONS)
    fill: str = "border"

    def see(self, images: Tensor, draw: Draw) -> Tensor:
        known = [OPERATIONS[name] for name in self.operations]
        families = list(dict.fromkeys(family for family, _ in known))
        owner = torch.tensor([families.index(family) for family, _ in known], device=images.device)
        reach = torch.tensor([amount for _, amount in known], device=images.device)
        choices = draw.integers(len(known), self.number)
        signs = torch.where(draw.uniform(self.number) < 0.5, self.magnitude, -self.magnitude)
        for choice, sign in zip(choices.unbind(1), signs.unbind(1)):
            drawn = owner[choice]
            order = drawn.argsort()  # side by side, the images of a family are a slice
            images, choice = images.index_select(0, order), choice[order]
            amount = sign[order] * reach[choice]
            amounts = reach.new_zeros(len(known), len(choice)).scatter_(0, choice[None], amount[None]).unbind()
            start = 0
            for family, count in zip(families, drawn.bincount(minlength=len(families)).tolist()):
                rows, start = slice(start, start + count), start + count
                own = draw.of(order[rows]) if family in (noise, cutout) else None
                if family and count:
                    columns = zip(self.operations, known, amounts)
                    named = {name: column[rows] for name, (doer, _), column in columns if doer is family}
                    if family is warp:
                        named["fill"] = self.fill
                    images[rows] = family(images[rows], own, **named)
            images = images.index_select(0, order.argsort())
        return images


def contrastive(crop: float = 0.3, colour: float = 0.5, mirror: bool = True) -> Compose:
    """SimCLR's views: a part of at least `crop` of the area, mirrored, jittered in colour by `colour`, at times grey.

    Without the jitter the histogram alone tells which two belong together (Chen et al. 2020, section 3.1, appendix A);
    blur is left out, as there for small images.
    """
    strength = 0.8 * colour
    jitter = Colour(strength, strength, strength, 0.2 * colour)
    return Compose((ResizedCrop((crop, 1.0)), *[Flip()] * mirror, jitter, Grey()))
