"""Batched random views of pictures: tensors in, tensors out.

A view is any callable `view(pictures, draw)`: pictures are uint8 or float in [0, 1], [B, C, H, W] with one or three
channels; the view returns new float32 pictures in [0, 1]. What a view does to a picture hangs on `draw` alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from caudex.errors import CaudexError

View = Callable[[Tensor, "Draw"], Tensor]


def as_float(pictures: Tensor) -> Tensor:
    """uint8 pictures become float32 in [0, 1]; floats pass through."""
    if pictures.dtype == torch.uint8:
        return pictures.float().mul_(1 / 255)
    if not pictures.is_floating_point():
        raise CaudexError(f"pictures of {pictures.dtype} have no known range; give uint8, or floats in [0, 1].")
    return pictures


# ---------------------------------------------------------------------------------------------- random numbers

_GAMMA = 0x9E3779B97F4A7C15 - 2**64  # 2^64 / golden ratio, as int64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64


def _mix(words: Tensor) -> Tensor:
    """SplitMix64's mixer, in place: every bit in moves every bit out (Steele, Lea and Flood 2014, section 5)."""
    for shift, factor in ((30, _FIRST), (27, _SECOND), (31, 1)):
        words ^= (words >> shift).bitwise_and_((1 << (64 - shift)) - 1)  # int64 shifts drag the sign: mask it off
        if factor != 1:
            words *= factor  # wraps, as it should
    return words


class Draw:
    """Random numbers for the pictures of a batch: a pure function of (seed, epoch, index of the picture).

    So neither the batch's composition nor its order nor the workers change a picture's view. Each call enters the
    hash, hence successive calls are independent; views make the same calls whatever the pictures.
    """

    def __init__(self, seed: int, epoch: int | Tensor, index: Tensor):
        index = torch.as_tensor(index, dtype=torch.int64)
        seed = (seed + 2**63) % 2**64 - 2**63
        keys = _mix(torch.full_like(index, seed).add_(_GAMMA))
        keys = _mix(keys.add_(torch.as_tensor(epoch, dtype=torch.int64, device=index.device)))
        self.keys = _mix(keys.add_(index))  # [B]
        self.calls = 0

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, rows: Tensor | slice) -> Draw:
        """The draws for some of the pictures: a stream of its own, independent of what is drawn here."""
        child = object.__new__(Draw)
        child.keys = self._stream()[rows]
        child.calls = 0
        return child

    def _stream(self) -> Tensor:
        self.calls += 1
        step = (self.calls * _GAMMA + 2**63) % 2**64 - 2**63
        return _mix(self.keys + step)

    def _words(self, count: int) -> Tensor:
        steps = torch.arange(1, count + 1, device=self.keys.device).mul_(_GAMMA)
        return _mix(self._stream()[:, None] + steps)  # [B, count], SplitMix64 from a start of each picture's own

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float32 [B, *shape] in [low, high)."""
        count = math.prod(shape)
        halves = self._words((count + 1) // 2).view(torch.int32)[:, :count]  # a word makes two numbers of 24 bits
        numbers = (halves & 0xFFFFFF).to(torch.float32).mul_((high - low) * 2**-24)
        return (numbers.add_(low) if low else numbers).view(-1, *shape)

    def normal(self, *shape: int) -> Tensor:
        """float32 [B, *shape] of mean 0 and deviation 1 (Box and Muller 1958)."""
        count = math.prod(shape)
        pairs = (count + 1) // 2
        numbers = self.uniform(2 * pairs)
        radius = numbers[:, :pairs].neg().log1p_().mul_(-2).sqrt_()
        angle = numbers[:, pairs:].mul(2 * math.pi)
        torch.mul(radius, angle.cos(), out=numbers[:, :pairs])
        torch.mul(radius, angle.sin_(), out=numbers[:, pairs:])
        return numbers[:, :count].reshape(-1, *shape)

    def integers(self, n: int, *shape: int) -> Tensor:
        """int64 [B, *shape] in [0, n)."""
        return (self._words(math.prod(shape)) & (2**63 - 1)).remainder_(n).view(-1, *shape)

    def chance(self, p: float) -> Tensor:
        """bool [B], true with probability p."""
        return self.uniform() < p


# ---------------------------------------------------------------------------------------------- what views share


def _fresh(pictures: Tensor) -> Tensor:
    """Contiguous float32 pictures that a view may write into."""
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise CaudexError(f"pictures of shape {list(pictures.shape)} cannot be viewed; give [B, 1 or 3, H, W].")
    floats = as_float(pictures).to(torch.float32).contiguous()
    return floats.clone() if floats.data_ptr() == pictures.data_ptr() else floats


def _each(amounts: Tensor) -> Tensor:
    return amounts[:, None, None, None]  # [B] against [B, C, H, W]


def _require(good: bool, view: object, name: str, why: str, better: object) -> None:
    if not good:
        setting = f"{type(view).__name__}({name}={getattr(view, name)!r})"
        raise CaudexError(f"{setting}: {name} {why}; try {name}={better!r}.")


def _require_chance(view: object) -> None:
    _require(0 <= view.p <= 1, view, "p", "is a chance and lies between 0 and 1", 0.5)


MOTIONS = ("shift_x", "shift_y", "rotate", "shear_x", "shear_y", "scale")
_FILLS = {"border": "border", "reflect": "reflection", "black": "zeros"}


def _require_fill(view: object) -> None:
    _require(view.fill in _FILLS, view, "fill", f"is one of {', '.join(_FILLS)}", "border")


def warp(pictures: Tensor, fill: str = "border", **motions: Tensor) -> Tensor:
    """Each picture moved by its own affine map about its centre, bilinear, in one `grid_sample`.

    Motions are [B]: shift_x and shift_y in shares of the side (right and down), rotate in degrees (counter-clockwise),
    shear_x and shear_y as slopes, scale as the logarithm of the factor. Shifts come last.
    """
    batch, _, height, width = pictures.shape
    none = torch.zeros(batch, device=pictures.device)
    shift_x, shift_y, angle, shear_x, shear_y, scale = (motions.get(name, none) for name in MOTIONS)
    angle = angle * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    # where an output pixel comes from: (turn @ shear * exp(scale))^-1 @ (pixel - shift), in pixels from the centre
    shrink = torch.exp(-scale) / (1 - shear_x * shear_y)
    xx, xy = shrink * (cos - shear_x * sin), -shrink * (sin + shear_x * cos)
    yx, yy = shrink * (sin - shear_y * cos), shrink * (cos + shear_y * sin)
    across = torch.arange(width, device=pictures.device) - (width - 1) / 2 - (shift_x * width)[:, None]  # [B, W]
    down = torch.arange(height, device=pictures.device) - (height - 1) / 2 - (shift_y * height)[:, None]  # [B, H]
    grid = pictures.new_empty(batch, height, width, 2)
    for axis, side, from_x, from_y in ((0, width, xx, xy), (1, height, yx, yy)):
        part_x = (across * (from_x * (2 / side))[:, None])[:, None, :]
        part_y = (down * (from_y * (2 / side))[:, None])[:, :, None]
        torch.add(part_x, part_y, out=grid[..., axis])
    return grid_sample(pictures, grid, mode="bilinear", padding_mode=_FILLS[fill], align_corners=False)


_LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
_TO_YIQ = torch.stack([_LUMA, torch.tensor([0.596, -0.274, -0.322]), torch.tensor([0.211, -0.523, 0.312])])
_TO_GREY = _LUMA.expand(3, 3)
_HUE = torch.linalg.inv(_TO_YIQ) @ torch.tensor([[0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64) @ _TO_YIQ


def _colour_matrix(saturation: Tensor, hue: Tensor) -> Tensor:
    """[B, 3, 3]: chroma stretched by `saturation` and turned by `hue` circles in YIQ; luma stays."""
    grey, turn = (part.to(saturation.device, torch.float32) for part in (_TO_GREY, _HUE))
    angle = (hue * (2 * math.pi))[:, None, None]
    return grey + saturation[:, None, None] * (angle.cos() * (torch.eye(3, device=hue.device) - grey) + angle.sin() * turn)


def _recolour(pictures: Tensor, matrix: Tensor) -> Tensor:
    return (matrix @ pictures.flatten(2)).view_as(pictures)


def _contrast(pictures: Tensor, factor: Tensor) -> Tensor:
    """Distances from each channel's mean times `factor`, not yet clamped."""
    return torch.lerp(pictures.mean((2, 3), keepdim=True), pictures, _each(factor))


def _blur_matrix(side: int, sigma: Tensor) -> Tensor:
    """[B, side, side]: a Gaussian filter along one side, mirrored at the edges, so that no light is lost."""
    i = torch.arange(side, device=sigma.device, dtype=torch.float32)
    direct = i[:, None] - i
    mirrored = i[:, None] + i + 1
    spread = (-0.5 / sigma.clamp(min=1e-3).square())[:, None, None]
    weights = sum((distance.square() * spread).exp_() for distance in (direct, mirrored, 2 * side - mirrored))
    return weights / weights.sum(2, keepdim=True)


def _blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    height, width = pictures.shape[2:]
    rows = _blur_matrix(height, sigma)
    columns = rows if height == width else _blur_matrix(width, sigma)
    return rows[:, None] @ pictures @ columns.transpose(1, 2)[:, None]


def _noisy(pictures: Tensor, deviation: Tensor, draw: Draw) -> Tensor:
    noise = draw.normal(*pictures.shape[1:]).mul_(_each(deviation))
    return noise.add_(pictures).clamp_(0, 1)


def _occluded(pictures: Tensor, share: Tensor, draw: Draw, value: float = 0.0) -> Tensor:
    """A rectangle of `share` of each side, wholly inside, becomes `value`."""
    inside = []
    for side, place in zip(pictures.shape[2:], draw.uniform(2).unbind(1)):
        length = (share * side).round()
        start = (place * (side - length + 1)).floor()
        steps = torch.arange(side, device=pictures.device) - start[:, None]
        inside.append((steps >= 0) & (steps < length[:, None]))  # [B, side]
    rows, columns = inside
    return pictures.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], value)


# ---------------------------------------------------------------------------------------------- geometric views


@dataclass(frozen=True)
class Compose:
    """One view after another."""

    views: tuple[View, ...]

    def __post_init__(self):
        object.__setattr__(self, "views", tuple(self.views))

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        for view in self.views:
            pictures = view(pictures, draw.of(slice(None)))
        return _fresh(pictures) if not self.views else pictures


@dataclass(frozen=True)
class Crop:
    """A crop of the picture's own size out of the picture padded by its reflection (He et al. 2016, section 4.2)."""

    padding: int = 4

    def __post_init__(self):
        _require(self.padding >= 0, self, "padding", "counts pixels and cannot be negative", 4)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        height, width = pictures.shape[2:]
        if self.padding >= min(height, width):
            raise CaudexError(
                f"Crop(padding={self.padding}) reflects more than a picture of {height} x {width} holds; "
                f"try padding={min(height, width) // 8}."
            )
        moves = draw.integers(2 * self.padding + 1, 2) - self.padding
        rows, columns = (
            (side - 1) - ((side - 1) - (torch.arange(side, device=pictures.device) + move[:, None]).abs()).abs()
            for side, move in zip((height, width), moves.unbind(1))
        )
        places = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)[:, None]  # [B, 1, HW]
        return pictures.flatten(2).gather(2, places.expand(-1, pictures.shape[1], -1)).view_as(pictures)


@dataclass(frozen=True)
class ResizedCrop:
    """A part of random area and shape, stretched to the whole (Szegedy et al. 2015, section 6)."""

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """width over height, before the part is cut to fit the picture"""

    def __post_init__(self):
        low, high = self.scale
        _require(0 < low <= high <= 1, self, "scale", "is (least, most) share of the area, in (0, 1]", (0.08, 1.0))
        _require(0 < self.ratio[0] <= self.ratio[1], self, "ratio", "is (least, most), above 0", (0.75, 1.33))

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        batch, _, height, width = pictures.shape
        area = draw.uniform(low=self.scale[0], high=self.scale[1])
        ratio = draw.uniform(low=math.log(self.ratio[0]), high=math.log(self.ratio[1])).exp()
        shares = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1).clamp(max=1)  # [B, 2]: of width, height
        centres = (1 - shares) * draw.uniform(2, low=-1.0, high=1.0)
        grid = pictures.new_empty(batch, height, width, 2)
        for axis, side in ((0, width), (1, height)):
            steps = (torch.arange(side, device=pictures.device) * 2 + 1) / side - 1
            places = steps * shares[:, axis, None] + centres[:, axis, None]
            grid[..., axis] = places[:, None, :] if axis == 0 else places[:, :, None]
        return grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class Flip:
    """Left and right exchanged, with chance p."""

    p: float = 0.5

    def __post_init__(self):
        _require_chance(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        rows = draw.chance(self.p).nonzero().squeeze(1)
        pictures[rows] = pictures[rows].flip(3)
        return pictures


@dataclass(frozen=True)
class Shift:
    """Moved by up to `share` of each side."""

    share: float = 0.1
    fill: str = "border"
    """what comes in: border, reflect or black; border suits dark backgrounds and is right for all others too"""

    def __post_init__(self):
        _require(0 <= self.share <= 1, self, "share", "is a share of the side, from 0 to 1", 0.1)
        _require_fill(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        x, y = draw.uniform(2, low=-self.share, high=self.share).unbind(1)
        return warp(_fresh(pictures), self.fill, shift_x=x, shift_y=y)


@dataclass(frozen=True)
class Rotate:
    """Turned about the centre by up to `degrees` either way."""

    degrees: float = 15.0
    fill: str = "border"

    def __post_init__(self):
        _require(0 <= self.degrees <= 180, self, "degrees", "is the largest angle, from 0 to 180", 15.0)
        _require_fill(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        return warp(_fresh(pictures), self.fill, rotate=draw.uniform(low=-self.degrees, high=self.degrees))


@dataclass(frozen=True)
class Scale:
    """Shrunk or enlarged about the centre by up to a factor of 1 + share, either way equally likely."""

    share: float = 0.2
    fill: str = "border"

    def __post_init__(self):
        _require(self.share >= 0, self, "share", "is by how much the size may grow and cannot be negative", 0.2)
        _require_fill(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        most = math.log1p(self.share)
        return warp(_fresh(pictures), self.fill, scale=draw.uniform(low=-most, high=most))


@dataclass(frozen=True)
class Shear:
    """Slanted along one axis, by a slope of up to `slope` either way."""

    slope: float = 0.3
    fill: str = "border"

    def __post_init__(self):
        _require(0 <= self.slope <= 2, self, "slope", "is the largest slope, from 0 to 2", 0.3)
        _require_fill(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        slope, along_x = draw.uniform(low=-self.slope, high=self.slope), draw.chance(0.5)
        return warp(_fresh(pictures), self.fill, shear_x=slope * along_x, shear_y=slope * ~along_x)


# ---------------------------------------------------------------------------------------------- photometric views


@dataclass(frozen=True)
class Colour:
    """Brightness, contrast, saturation, hue, in SimCLR's order, clamped at the end (Chen et al. 2020, appendix A).

    The first three multiply by 1 - strength to 1 + strength; hue turns by up to `hue` of the circle, in YIQ.
    The defaults are the paper's strength 0.5, for small pictures (appendix B.9). Grey pictures have no colour to turn.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.8

    def __post_init__(self):
        for name in ("brightness", "contrast", "saturation"):
            _require(getattr(self, name) >= 0, self, name, "is a strength and cannot be negative", 0.4)
        _require(0 <= self.hue <= 0.5, self, "hue", "is a share of the colour circle, from 0 to 0.5", 0.1)
        _require_chance(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        rows = draw.chance(self.p)
        strengths = torch.tensor([self.brightness, self.contrast, self.saturation, self.hue], device=rows.device)
        amounts = draw.uniform(4, low=-1.0, high=1.0) * strengths * rows[:, None]
        amounts[:, :3] = (amounts[:, :3] + 1).clamp_(min=0)
        brightness, contrast, saturation, hue = amounts.unbind(1)
        # all four are linear, so the picture is touched once: matrix @ (contrast * light + (1 - contrast) * its mean)
        mean = pictures.mean((2, 3))[:, :, None]  # [B, C, 1]
        matrix = _colour_matrix(saturation, hue) if pictures.shape[1] == 3 else rows.new_ones(1, 1, 1).float()
        matrix = brightness[:, None, None] * matrix
        rest = (1 - contrast)[:, None, None] * (matrix @ mean)
        seen = torch.baddbmm(rest, contrast[:, None, None] * matrix, pictures.flatten(2))
        return seen.clamp_(0, 1).view_as(pictures)


@dataclass(frozen=True)
class Grey:
    """Colour taken away, with chance p."""

    p: float = 0.2

    def __post_init__(self):
        _require_chance(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        rows = draw.chance(self.p).nonzero().squeeze(1)
        if pictures.shape[1] == 3:
            luma = _LUMA.to(pictures.device, torch.float32)[:, None, None]
            pictures[rows] = (pictures[rows] * luma).sum(1, keepdim=True).clamp_(0, 1)
        return pictures


@dataclass(frozen=True)
class Blur:
    """A Gaussian blur of a deviation drawn from `sigma`, in pixels, with chance p (Chen et al. 2020, appendix A)."""

    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = 0.5

    def __post_init__(self):
        _require(0 <= self.sigma[0] <= self.sigma[1], self, "sigma", "is (least, most) in pixels", (0.1, 2.0))
        _require_chance(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        rows = draw.chance(self.p).nonzero().squeeze(1)
        sigma = draw.uniform(low=self.sigma[0], high=self.sigma[1])
        pictures[rows] = _blurred(pictures[rows], sigma[rows]).clamp_(0, 1)
        return pictures


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of deviation `std` on every value."""

    std: float = 0.1

    def __post_init__(self):
        _require(self.std >= 0, self, "std", "is a deviation and cannot be negative", 0.1)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        return _noisy(pictures, pictures.new_full((len(pictures),), self.std), draw)


@dataclass(frozen=True)
class Cutout:
    """A square of `share` of the side, at a random place inside, becomes black (DeVries and Taylor 2017)."""

    share: float = 0.5

    def __post_init__(self):
        _require(0 <= self.share <= 1, self, "share", "is a share of the side, from 0 to 1", 0.5)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        return _occluded(pictures, pictures.new_full((len(pictures),), self.share), draw)


# ---------------------------------------------------------------------------------------------- RandAugment

# how far each motion goes at magnitude 1 (Cubuk et al. 2019, table 6; scale is ours)
_REACH = torch.tensor([0.45, 0.45, 30.0, 0.3, 0.3, math.log(1.5)])


def _sharpness(pictures: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    smooth = _blurred(pictures, torch.full_like(amount, 0.6))
    return torch.lerp(smooth, pictures, _each(1 + 0.9 * amount))


def _posterize(pictures: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """The upper 8 to 4 bits of each value."""
    step = _each(torch.exp2((4 * amount.abs()).round()))
    return (pictures * 255).round_().div_(step).floor_().mul_(step / 255)


def _solarize(pictures: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Values above the threshold turn into their negative."""
    return torch.where(pictures > _each(1 - amount.abs()), 1 - pictures, pictures)


def _autocontrast(pictures: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    """Each channel stretched from black to white."""
    low, high = pictures.amin((2, 3), keepdim=True), pictures.amax((2, 3), keepdim=True)
    return torch.where(high > low, (pictures - low) / (high - low).clamp(min=1e-6), pictures)


def _saturation(pictures: Tensor, amount: Tensor, draw: Draw) -> Tensor:
    if pictures.shape[1] == 1:
        return pictures
    return _recolour(pictures, _colour_matrix(1 + 0.9 * amount, torch.zeros_like(amount)))


# each takes (pictures, amount in [-1, 1] a picture, draw); RandAugment clamps what comes back
PHOTOMETRIC: dict[str, Callable[[Tensor, Tensor, Draw], Tensor]] = {
    "identity": lambda pictures, amount, draw: pictures,
    "brightness": lambda pictures, amount, draw: pictures * _each(1 + 0.9 * amount),
    "contrast": lambda pictures, amount, draw: _contrast(pictures, 1 + 0.9 * amount),
    "colour": _saturation,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "invert": lambda pictures, amount, draw: 1 - pictures,
    "blur": lambda pictures, amount, draw: _blurred(pictures, amount.abs() * pictures.shape[3] / 16),
    "noise": lambda pictures, amount, draw: _noisy(pictures, amount.abs() * 0.2, draw),
    "cutout": lambda pictures, amount, draw: _occluded(pictures, amount.abs() * 0.5, draw),
}


@dataclass(frozen=True)
class RandAugment:
    """`number` random operations a picture, all of one magnitude (Cubuk et al. 2020, section 3).

    The paper's operations but for equalize, with scale, blur, noise and cutout besides; a sign is drawn where it
    matters. The motions of a round are one `warp`.
    """

    number: int = 2
    magnitude: float = 0.5
    operations: tuple[str, ...] = (*MOTIONS, *(name for name in PHOTOMETRIC if name != "invert"))
    fill: str = "border"

    def __post_init__(self):
        _require(self.number >= 0, self, "number", "counts operations and cannot be negative", 2)
        _require(0 <= self.magnitude <= 1, self, "magnitude", "lies between 0 and 1", 0.5)
        known = (*MOTIONS, *PHOTOMETRIC)
        good = len(self.operations) > 0 and set(self.operations) <= set(known)
        _require(good, self, "operations", f"takes some of {', '.join(known)}", ("rotate", "contrast"))
        _require_fill(self)

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        for _ in range(self.number):
            choice = draw.integers(len(self.operations))
            amount = torch.where(draw.chance(0.5), self.magnitude, -self.magnitude)
            motion = amount[:, None] * _REACH.to(amount.device)
            for column, name in enumerate(MOTIONS):
                place = self.operations.index(name) if name in self.operations else -1
                motion[:, column] *= choice == place
            rows = (motion != 0).any(1).nonzero().squeeze(1)
            if len(rows):
                pictures[rows] = warp(pictures[rows], self.fill, **dict(zip(MOTIONS, motion[rows].unbind(1))))
            for place, name in enumerate(self.operations):
                if name in PHOTOMETRIC:
                    rows = (choice == place).nonzero().squeeze(1)
                    own = draw.of(rows)
                    if len(rows):
                        pictures[rows] = PHOTOMETRIC[name](pictures[rows], amount[rows], own).clamp_(0, 1)
        return pictures


# ---------------------------------------------------------------------------------------------- turns


def _require_square(pictures: Tensor) -> None:
    height, width = pictures.shape[-2:]
    if height != width:
        raise CaudexError(f"pictures of {height} x {width} do not fit themselves when turned; crop them to squares.")


def quarter_turns(pictures: Tensor, quarters: Tensor) -> Tensor:
    """Each picture turned counter-clockwise by its own number of quarters, exactly; the dtype stays."""
    _require_square(pictures)
    turned = pictures.clone()
    for quarter in (1, 2, 3):
        rows = (quarters % 4 == quarter).nonzero().squeeze(1)
        turned[rows] = torch.rot90(pictures[rows], quarter, (2, 3))
    return turned


def all_four_rotations(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """[4B, C, H, W] and their quarters [4B]: all unturned, then all turned once, ... (Gidaris et al. 2018)."""
    _require_square(pictures)
    turned = torch.cat([torch.rot90(pictures, quarter, (2, 3)) for quarter in range(4)])
    return turned, torch.arange(4, device=pictures.device).repeat_interleave(len(pictures))


# ---------------------------------------------------------------------------------------------- corruptions

_SEVERITIES = {
    "noise": (0.04, 0.08, 0.12, 0.18, 0.26),  # deviation
    "blur": (0.04, 0.06, 0.08, 0.10, 0.13),  # deviation, as a share of the side
    "contrast": (0.75, 0.6, 0.45, 0.3, 0.15),  # what is left of it
    "occlusion": (0.2, 0.3, 0.4, 0.5, 0.6),  # share of the side
    "shift": (0.04, 0.08, 0.12, 0.16, 0.2),  # share of the side, in a random direction
    "rotation": (10.0, 20.0, 30.0, 45.0, 60.0),  # degrees, either way
}
CORRUPTIONS = tuple(_SEVERITIES)


def corrupt(pictures: Tensor, kind: str, severity: int, draw: Draw) -> Tensor:
    """Pictures made worse on purpose, to measure robustness (after Hendrycks and Dietterich 2019, section 3).

    Strengths are relative to the side, so that they mean the same on small digits and on photos.
    """
    if kind not in _SEVERITIES:
        raise CaudexError(f"{kind!r} is not a corruption; take one of {', '.join(CORRUPTIONS)}.")
    if severity not in (1, 2, 3, 4, 5):
        raise CaudexError(f"severity {severity!r} is not on the scale; take 1 (slight) to 5 (severe).")
    pictures = _fresh(pictures)
    strength = pictures.new_full((len(pictures),), _SEVERITIES[kind][severity - 1])
    if kind == "noise":
        return _noisy(pictures, strength, draw)
    if kind == "blur":
        return _blurred(pictures, strength * min(pictures.shape[2:])).clamp_(0, 1)
    if kind == "contrast":
        return _contrast(pictures, strength)
    if kind == "occlusion":
        return _occluded(pictures, strength, draw)
    if kind == "shift":
        angle = draw.uniform(high=2 * math.pi)
        return warp(pictures, shift_x=strength * angle.cos(), shift_y=strength * angle.sin())
    return warp(pictures, rotate=torch.where(draw.chance(0.5), strength, -strength))
