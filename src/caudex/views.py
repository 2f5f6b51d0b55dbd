"""Batched random views of pictures: tensors in, tensors out.

A view is any callable `view(pictures, draw)`: pictures are uint8 or float in [0, 1], [B, C, H, W] with one or three
channels; it returns new float32 pictures in [0, 1]. What it does to each picture hangs on `draw` alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from caudex.errors import CaudexError


def as_float(pictures: Tensor) -> Tensor:
    """uint8 pictures become float32 in [0, 1]; floats pass through."""
    if pictures.dtype == torch.uint8:
        return pictures.float().mul_(1 / 255)
    if not pictures.is_floating_point():
        raise CaudexError(f"pictures of {pictures.dtype} have no known range; give uint8, or floats in [0, 1].")
    return pictures


def _signed(word: int) -> int:
    return (word + 2**63) % 2**64 - 2**63


_GAMMA = _signed(0x9E3779B97F4A7C15)  # 2^64 / golden ratio
_CALL = 0xD1342543DE82EF95  # any other odd number without a pattern


def _mix(words: Tensor) -> Tensor:
    """SplitMix64's mixer on int64, in place: every bit moves every bit (Steele, Lea and Flood 2014, section 5)."""
    upper = torch.empty_like(words)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None)):
        torch.bitwise_right_shift(words, shift, out=upper)
        words ^= upper.bitwise_and_((1 << (64 - shift)) - 1)  # int64 shifts drag the sign: mask it off
        if factor:
            words *= _signed(factor)  # wraps, as it should
    return words


class Draw:
    """Random numbers for the pictures of a batch: a pure function of (seed, epoch, index of the picture).

    So neither the batch's composition nor its order nor the workers change a picture's view. Each call enters the
    hash, hence successive calls are independent; a view makes the same calls whatever the pictures.
    """

    def __init__(self, seed: int, epoch: int | Tensor, index: Tensor):
        index = torch.as_tensor(index, dtype=torch.int64)
        epoch = torch.as_tensor(epoch, dtype=torch.int64, device=index.device)
        self.keys = _mix(_mix(epoch + _signed((seed + 1) * _GAMMA)) + index)  # [B]
        self.calls = 0

    def of(self, rows: Tensor | slice) -> Draw:
        """The draws for some of the pictures: a stream of its own, independent of what is drawn here."""
        child = object.__new__(Draw)
        child.keys, child.calls = _mix(self._start()[rows]), 0
        return child

    def _start(self) -> Tensor:
        self.calls += 1
        return self.keys + _signed(self.calls * _CALL)

    def _words(self, count: int) -> Tensor:
        steps = torch.arange(1, count + 1, device=self.keys.device).mul_(_GAMMA)
        return _mix(self._start()[:, None] + steps)  # [B, count]

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float32 [B, *shape] in [low, high)."""
        count = math.prod(shape)
        halves = self._words((count + 1) // 2).view(torch.int32)[:, :count]  # a word makes two numbers of 24 bits
        numbers = (halves & 0xFFFFFF).to(torch.float32).mul_((high - low) * 2**-24)
        return (numbers.add_(low) if low else numbers).view(len(self.keys), *shape)

    def normal(self, *shape: int) -> Tensor:
        """float32 [B, *shape] of mean 0 and deviation 1 (Box and Muller 1958)."""
        count = math.prod(shape)
        half = (count + 1) // 2
        numbers = self.uniform(2 * half)
        radius = numbers[:, :half].neg().log1p_().mul_(-2).sqrt_()
        angle = numbers[:, half:].mul(2 * math.pi)
        torch.mul(radius, angle.cos(), out=numbers[:, :half])
        torch.mul(radius, angle.sin_(), out=numbers[:, half:])
        return numbers[:, :count].reshape(len(self.keys), *shape)

    def integers(self, n: int, *shape: int) -> Tensor:
        """int64 [B, *shape] in [0, n)."""
        return (self._words(math.prod(shape)) & (2**63 - 1)).remainder_(n).view(len(self.keys), *shape)

    def chance(self, p: float) -> Tensor:
        """bool [B], true with probability p."""
        return self.uniform() < p


# What can be done to pictures. Amounts are [B], one a picture; where an amount is 0, nothing happens.


def _each(amounts: Tensor) -> Tensor:
    return amounts[:, None, None, None]  # [B] against [B, C, H, W]


MOTIONS = ("shift_x", "shift_y", "rotate", "shear_x", "shear_y", "scale", "stretch")
FILLS = {"border": "border", "reflect": "reflection", "black": "zeros"}


def warp(pictures: Tensor, draw: Draw | None = None, fill: str = "border", **motions: Tensor) -> Tensor:
    """Each picture moved by its own affine map about its centre, bilinear, in one `grid_sample`.

    It is scaled first (by exp(scale + stretch) across, exp(scale - stretch) down), then sheared (slopes), turned
    (degrees, counter-clockwise) and shifted (shares of the side, right and down). `fill` says what comes in.
    """
    batch, _, height, width = pictures.shape
    none = pictures.new_zeros(batch)
    shift_x, shift_y, degrees, shear_x, shear_y, scale, stretch = (motions.get(name, none) for name in MOTIONS)
    angle = degrees * (math.pi / 180)
    cos, sin, area = angle.cos(), angle.sin(), 1 - shear_x * shear_y
    from_x = torch.arange(width, device=pictures.device) - (width - 1) / 2 - (shift_x * width)[:, None]  # [B, W]
    from_y = torch.arange(height, device=pictures.device) - (height - 1) / 2 - (shift_y * height)[:, None]  # [B, H]
    # where an output pixel comes from: the inverse of turn @ shear @ scale, y pointing down
    inverse = ((width, scale + stretch, cos - shear_x * sin, -sin - shear_x * cos),
               (height, scale - stretch, sin - shear_y * cos, cos + shear_y * sin))  # fmt: skip
    grid = pictures.new_empty(batch, height, width, 2)
    for axis, (side, growth, by_x, by_y) in enumerate(inverse):
        shrink = torch.exp(-growth) / (area * (side / 2))  # grid_sample counts in half sides
        part_x, part_y = from_x * (shrink * by_x)[:, None], from_y * (shrink * by_y)[:, None]
        torch.add(part_x[:, None, :], part_y[:, :, None], out=grid[..., axis])
    return grid_sample(pictures, grid, mode="bilinear", padding_mode=FILLS[fill], align_corners=False)


_LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
_YIQ = torch.stack([_LUMA, torch.tensor([0.596, -0.274, -0.322]), torch.tensor([0.211, -0.523, 0.312])])
_QUARTER = torch.linalg.inv(_YIQ) @ torch.tensor([[0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64) @ _YIQ
# from RGB to RGB: the luma; the chroma; the chroma turned by a quarter of the circle
_COLOUR = torch.stack([_LUMA.expand(3, 3), torch.eye(3) - _LUMA, _QUARTER]).flatten(1).float()  # [3, 9]


def tone(pictures: Tensor, draw: Draw | None = None, **amounts: Tensor) -> Tensor:
    """Brightness, contrast, saturation (each times 1 + amount) and hue (turned by that share of the circle, in YIQ).

    In this order and, as in SimCLR, clamped only at the end (Chen et al. 2020, appendix A). So all four are one
    linear map: matrix @ ((1 + contrast) * picture - contrast * its mean).
    """
    none = pictures.new_zeros(len(pictures))
    names = ("brightness", "contrast", "saturation", "hue")
    brightness, contrast, saturation, hue = (amounts.get(name, none) for name in names)
    matrix, contrast = (1 + brightness)[:, None, None], contrast[:, None, None]
    if pictures.shape[1] == 3:
        chroma = torch.polar(1 + saturation, hue * (2 * math.pi))
        weights = torch.stack([torch.ones_like(hue), chroma.real, chroma.imag], 1)
        matrix = matrix * (weights @ _COLOUR.to(pictures.device)).view(-1, 3, 3)
    flat = pictures.flatten(2)
    rest = (matrix * -contrast) @ flat.mean(2, keepdim=True)
    return torch.baddbmm(rest, matrix * (1 + contrast), flat).clamp_(0, 1).view_as(pictures)


def _gaussian(side: int, sigma: Tensor) -> Tensor:
    """[B, side, side]: a Gaussian filter along one side, mirrored at the edges so that no light is lost."""
    away = torch.arange(1 - side, 2 * side, device=sigma.device)
    bell = torch.exp(away.square() * (-0.5 / sigma.clamp(min=0.01).square())[:, None])  # [B, 3 side - 1]
    right = bell[:, side - 1 :]  # at distances 0 to 2 side - 1
    matrix = bell[:, : 2 * side - 1].unfold(1, side, 1).flip(2)  # [i, j]: the bell at i - j
    matrix += right[:, 1:].unfold(1, side, 1)  # at i + j + 1, mirrored at the near edge
    matrix += right.flip(1)[:, :-1].unfold(1, side, 1)  # at 2 side - 1 - i - j, at the far edge
    return matrix.div_(matrix.sum(2, keepdim=True))


def focus(pictures: Tensor, draw: Draw | None = None, **amounts: Tensor) -> Tensor:
    """A Gaussian blur of deviation |blur| of the height, and sharpness times 1 + amount: at -1 slightly blurred."""
    batch, channels, height, width = pictures.shape
    none = pictures.new_zeros(batch)
    blur, sharpness = amounts.get("blur", none), amounts.get("sharpness", none)
    sigma = torch.where(sharpness == 0, blur.abs() * height, 0.6)
    columns = _gaussian(width, sigma)
    rows = columns if height == width else _gaussian(height, sigma)
    smooth = torch.bmm(pictures.view(batch, channels * height, width), columns.mT).view_as(pictures)
    smooth = torch.einsum("bij,bcjk->bcik", rows, smooth)
    return smooth.lerp_(pictures, _each(torch.where(sharpness == 0, 0.0, 1 + sharpness))).clamp_(0, 1)


def posterize(pictures: Tensor, draw: Draw | None, posterize: Tensor) -> Tensor:
    """The last |amount| bits of each value dropped."""
    step = _each(torch.exp2(posterize.abs().round()))
    return (pictures * 255).round_().div_(step).floor_().mul_(step / 255)


def solarize(pictures: Tensor, draw: Draw | None, solarize: Tensor) -> Tensor:
    """The brightest |amount| of the range turned into its negative."""
    threshold = _each((1 - solarize.abs()) * (256 / 255))  # at 0 above white
    bright = (pictures - threshold).ge_(0)  # 1 or 0
    return bright.sub_(pictures).abs_()


def autocontrast(pictures: Tensor, draw: Draw | None, autocontrast: Tensor | None = None) -> Tensor:
    """Each channel stretched from black to white, whatever the amount."""
    low, high = pictures.amin((2, 3), keepdim=True), pictures.amax((2, 3), keepdim=True)
    flat = high <= low
    return ((pictures - low.masked_fill(flat, 0)) / (high - low).masked_fill(flat, 1)).clamp_(0, 1)


def noise(pictures: Tensor, draw: Draw, noise: Tensor) -> Tensor:
    """Gaussian noise of deviation |amount| on every value."""
    return draw.normal(*pictures.shape[1:]).mul_(_each(noise)).add_(pictures).clamp_(0, 1)


def cutout(pictures: Tensor, draw: Draw, cutout: Tensor) -> Tensor:
    """A part of |amount| of each side, at a random place wholly inside, becomes black (DeVries and Taylor 2017)."""
    sides = torch.tensor(pictures.shape[2:], device=pictures.device)
    lengths = (cutout.abs()[:, None] * sides).round()  # [B, 2]
    starts = (draw.uniform(2) * (sides - lengths + 1)).floor()
    middles, halves = starts + (lengths - 1) / 2, lengths / 2
    rows, columns = (
        ((torch.arange(side, device=pictures.device) - middle[:, None]).abs() < half[:, None]).to(pictures.dtype)
        for side, middle, half in zip(pictures.shape[2:], middles.unbind(1), halves.unbind(1))
    )
    return pictures * (1 - rows[:, None, :, None] * columns[:, None, None, :])


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
    "views": (lambda value: all(map(callable, value)), "are callables (pictures, draw)", "(Crop(4), Flip())"),
}  # fmt: skip


class _View:
    """Checks its settings, and hands `see` float32 pictures that it may write into."""

    def __post_init__(self):
        for name, value in vars(self).items():
            good, why, instead = _SETTINGS[name]
            if not good(value):
                raise CaudexError(f"{type(self).__name__}({name}={value!r}): {name} {why}; try {name}={instead!r}.")

    def __call__(self, pictures: Tensor, draw: Draw) -> Tensor:
        pictures = _fresh(pictures)
        return (
            self.see(pictures, draw).clamp_(0, 1) if len(pictures) else pictures
        )  # interpolation may exceed 1 by 1e-7


def _fresh(pictures: Tensor) -> Tensor:
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise CaudexError(f"pictures of shape {list(pictures.shape)} cannot be viewed; give [B, 1 or 3, H, W].")
    floats = as_float(pictures).to(torch.float32).contiguous()
    return floats.clone() if floats.data_ptr() == pictures.data_ptr() else floats


def _rows(chosen: Tensor) -> Tensor:
    return chosen.nonzero().squeeze(1)


@dataclass(frozen=True)
class Compose(_View):
    """One view after another."""

    views: tuple[Callable[[Tensor, Draw], Tensor], ...]

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        for view in self.views:
            pictures = view(pictures, draw.of(slice(None)))
        return pictures


@dataclass(frozen=True)
class Crop(_View):
    """A crop of the picture's own size out of the picture padded by its reflection (He et al. 2016, section 4.2)."""

    padding: int = 4

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        sides = pictures.shape[2:]
        if self.padding >= min(sides):
            raise CaudexError(
                f"Crop(padding={self.padding}): padding reflects more than a picture of {sides[0]} x {sides[1]} holds; "
                f"try padding={min(sides) // 8}."
            )
        moves = draw.integers(2 * self.padding + 1, 2) - self.padding
        steps = (torch.arange(side, device=moves.device) + move[:, None] for side, move in zip(sides, moves.unbind(1)))
        rows, columns = (side - 1 - (side - 1 - step.abs()).abs() for side, step in zip(sides, steps))  # reflected
        places = (rows[:, :, None] * sides[1] + columns[:, None, :]).flatten(1)[:, None]  # [B, 1, HW]
        return pictures.flatten(2).gather(2, places.expand(-1, pictures.shape[1], -1)).view_as(pictures)


@dataclass(frozen=True)
class ResizedCrop(_View):
    """A part of random area and shape (width over height), stretched to the whole (Szegedy et al. 2015, section 6).

    A part that does not fit is cut to fit, where the usual code draws again.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        height, width = pictures.shape[2:]
        area = draw.uniform(low=self.scale[0], high=self.scale[1]).log()
        ratio = draw.uniform(low=math.log(self.ratio[0]), high=math.log(self.ratio[1])) - math.log(width / height)
        grown = -torch.stack([area + ratio, area - ratio], 1).div(2).clamp(max=0)  # [B, 2]: how wide, how high
        shifts = (grown.exp() - 1) / 2 * draw.uniform(2, low=-1.0, high=1.0)
        (wider, higher), (x, y) = grown.unbind(1), shifts.unbind(1)
        return warp(pictures, shift_x=x, shift_y=y, scale=(wider + higher) / 2, stretch=(wider - higher) / 2)


@dataclass(frozen=True)
class Flip(_View):
    """Left and right exchanged, with chance p."""

    p: float = 0.5

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        rows = _rows(draw.chance(self.p))
        return pictures.index_copy_(0, rows, pictures.index_select(0, rows).flip(3))


@dataclass(frozen=True)
class Shift(_View):
    """Moved by up to `share` of each side."""

    share: float = 0.1
    fill: str = "border"
    """what comes in: `border` repeats the last pixels, which keeps dark backgrounds dark; or reflect, black"""

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        x, y = draw.uniform(2, low=-self.share, high=self.share).unbind(1)
        return warp(pictures, fill=self.fill, shift_x=x, shift_y=y)


@dataclass(frozen=True)
class Rotate(_View):
    """Turned about the centre by up to `degrees` either way."""

    degrees: float = 15.0
    fill: str = "border"

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        return warp(pictures, fill=self.fill, rotate=draw.uniform(low=-self.degrees, high=self.degrees))


@dataclass(frozen=True)
class Scale(_View):
    """Enlarged or shrunk about the centre by a factor of up to 1 + share."""

    share: float = 0.2
    fill: str = "border"

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        scale = draw.uniform(low=-1.0, high=1.0) * math.log1p(self.share)
        return warp(pictures, fill=self.fill, scale=scale)


@dataclass(frozen=True)
class Shear(_View):
    """Slanted along one of the axes, by up to `slope` either way."""

    slope: float = 0.3
    fill: str = "border"

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        slope, along_x = draw.uniform(low=-self.slope, high=self.slope), draw.chance(0.5)
        return warp(pictures, fill=self.fill, shear_x=slope * along_x, shear_y=slope * ~along_x)


@dataclass(frozen=True)
class Colour(_View):
    """SimCLR's colour jitter with chance p: each strength is how far its amount in `tone` may go either way.

    The defaults are the paper's strength 0.5, for small pictures (Chen et al. 2020, appendix B.9).
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.8

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        chosen = draw.chance(self.p)
        names = ("brightness", "contrast", "saturation", "hue")
        drawn = draw.uniform(4, low=-1.0, high=1.0) * chosen[:, None]
        amounts = {name: drawn[:, i] * getattr(self, name) for i, name in enumerate(names)}
        return tone(pictures, **{name: amount.clamp(min=-1) for name, amount in amounts.items()})


@dataclass(frozen=True)
class Grey(_View):
    """Colour taken away, with chance p."""

    p: float = 0.2

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        rows = _rows(draw.chance(self.p))
        if pictures.shape[1] == 3:
            luma = torch.einsum("bchw,c->bhw", pictures.index_select(0, rows), _LUMA.to(pictures.device, torch.float32))
            pictures.index_copy_(0, rows, luma.clamp_(0, 1)[:, None].expand(-1, 3, -1, -1))
        return pictures


@dataclass(frozen=True)
class Blur(_View):
    """A Gaussian blur of a deviation from `sigma`, in pixels, with chance p (Chen et al. 2020, appendix A)."""

    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = 0.5

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        rows = _rows(draw.chance(self.p))
        sigma = draw.uniform(low=self.sigma[0], high=self.sigma[1])[rows] / pictures.shape[2]
        return pictures.index_copy_(0, rows, focus(pictures.index_select(0, rows), blur=sigma))


@dataclass(frozen=True)
class Noise(_View):
    """Gaussian noise of deviation `std` on every value."""

    std: float = 0.1

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        return noise(pictures, draw, pictures.new_full(pictures.shape[:1], self.std))


@dataclass(frozen=True)
class Cutout(_View):
    """A square of `share` of the side, at a random place inside, becomes black."""

    share: float = 0.5

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        return cutout(pictures, draw, pictures.new_full(pictures.shape[:1], self.share))


@dataclass(frozen=True)
class RandAugment(_View):
    """`number` random operations a picture, all of one magnitude (Cubuk et al. 2020, section 3).

    The paper's operations but for equalize, with scale, blur, noise and cutout besides.
    """

    number: int = 2
    magnitude: float = 0.5
    operations: tuple[str, ...] = tuple(OPERATIONS)
    fill: str = "border"

    def see(self, pictures: Tensor, draw: Draw) -> Tensor:
        known = [OPERATIONS[name] for name in self.operations]
        families = list(dict.fromkeys(family for family, _ in known))
        owner = torch.tensor([families.index(family) for family, _ in known], device=pictures.device)
        reach = torch.tensor([amount for _, amount in known], device=pictures.device)
        choices = draw.integers(len(known), self.number)
        signs = torch.where(draw.uniform(self.number) < 0.5, self.magnitude, -self.magnitude)
        for choice, sign in zip(choices.unbind(1), signs.unbind(1)):
            drawn = owner[choice]
            order = drawn.argsort()  # side by side, the pictures of a family are a slice
            pictures, choice = pictures.index_select(0, order), choice[order]
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
                    pictures[rows] = family(pictures[rows], own, **named)
            pictures = pictures.index_select(0, order.argsort())
        return pictures


def _require_square(pictures: Tensor) -> None:
    height, width = pictures.shape[-2:]
    if height != width:
        raise CaudexError(f"pictures of {height} x {width} do not fit themselves when turned; crop them to squares.")


def quarter_turns(pictures: Tensor, quarters: Tensor) -> Tensor:
    """Each picture turned counter-clockwise by its own number of quarters, exactly; the dtype stays."""
    _require_square(pictures)
    turned = pictures.clone()
    for quarter in (1, 2, 3):
        rows = _rows(quarters % 4 == quarter)
        turned[rows] = torch.rot90(pictures[rows], quarter, (2, 3))
    return turned


def all_four_rotations(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """[4B, C, H, W] and their quarters [4B]: all unturned, then all turned once, ... (Gidaris et al. 2018)."""
    _require_square(pictures)
    turned = torch.cat([torch.rot90(pictures, quarter, (2, 3)) for quarter in range(4)])
    return turned, torch.arange(4, device=pictures.device).repeat_interleave(len(pictures))


# what does the damage, and its amounts at severity 1 to 5
_DAMAGE = {
    "noise": (noise, "noise", (0.04, 0.08, 0.12, 0.18, 0.26)),
    "blur": (focus, "blur", (0.05, 0.065, 0.08, 0.1, 0.13)),
    "contrast": (tone, "contrast", (-0.25, -0.4, -0.55, -0.7, -0.85)),
    "occlusion": (cutout, "cutout", (0.2, 0.3, 0.4, 0.5, 0.6)),
    "shift": (warp, "shift_x", (0.04, 0.08, 0.12, 0.16, 0.2)),
    "rotation": (warp, "rotate", (8.0, 15.0, 22.0, 30.0, 45.0)),
}
CORRUPTIONS = tuple(_DAMAGE)


def corrupt(pictures: Tensor, kind: str, severity: int, draw: Draw) -> Tensor:
    """Pictures made worse on purpose, to measure robustness (after Hendrycks and Dietterich 2019, section 3).

    Strengths are relative to the side, so that they mean the same on small digits and on photos; shift and rotation
    go either way.
    """
    if kind not in CORRUPTIONS:
        raise CaudexError(f"{kind!r} is not a corruption; take one of {', '.join(CORRUPTIONS)}.")
    if severity not in (1, 2, 3, 4, 5):
        raise CaudexError(f"severity {severity!r} is not on the scale; take 1 (slight) to 5 (severe).")
    family, name, amounts = _DAMAGE[kind]
    pictures, amount = _fresh(pictures), amounts[severity - 1]
    sign = torch.where(draw.chance(0.5) & (family is warp), -1.0, 1.0)
    return family(pictures, draw, **{name: sign * amount}).clamp_(0, 1)
