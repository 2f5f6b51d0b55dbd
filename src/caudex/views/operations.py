"""Operations on batches of images. Amounts are [B], one an image; an amount of 0 changes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from caudex.core.errors import CaudexError
from caudex.views.draw import Draw, as_float


def copy_as_float(images: Tensor) -> Tensor:
    """float32 images that may be written into; CaudexError for another shape than [B, 1 or 3, H, W]."""
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise CaudexError(f"images of shape {list(images.shape)} cannot be viewed; give [B, 1 or 3, H, W].")
    floats = as_float(images).to(torch.float32).contiguous()
    return floats.clone() if floats.data_ptr() == images.data_ptr() else floats


def true_rows(mask: Tensor) -> Tensor:
    """int64: the rows at which a mask [B] is true."""
    return mask.nonzero().squeeze(1)


def shifted_coordinates(draw: Draw, max_shift: int, sides: Sequence[int]) -> list[Tensor]:
    """int64 [B, side] of each axis: which pixel comes where, after a random shift of up to `max_shift` each way."""
    shifts = draw.integers(2 * max_shift + 1, 2) - max_shift  # [B, 2]
    return [torch.arange(side, device=shifts.device) + shift[:, None] for side, shift in zip(sides, shifts.unbind(1))]


def gather_pixels(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images [B, C, H, W] whose pixels come from these rows [B, H] and columns [B, W], exactly."""
    pixels = (rows[:, :, None] * images.shape[3] + columns[:, None, :]).flatten(1)[:, None]  # [B, 1, HW]
    return images.flatten(2).gather(2, pixels.expand(-1, images.shape[1], -1)).view_as(images)


def _per_image(amounts: Tensor) -> Tensor:
    return amounts[:, None, None, None]  # [B] against [B, C, H, W]


AFFINE_PARAMETERS = ("shift_x", "shift_y", "rotate", "shear_x", "shear_y", "scale", "stretch")
FILL_MODES = {"border": "border", "reflect": "reflection", "black": "zeros"}


def affine(images: Tensor, draw: Draw | None = None, fill: str = "border", **motions: Tensor) -> Tensor:
    """An affine map of each image about its centre, bilinear, in one `grid_sample`.

    It is scaled first (by exp(scale + stretch) across, exp(scale - stretch) down), then sheared (slopes), rotated
    (degrees, counter-clockwise) and shifted (shares of the side, right and down). `fill` is one of FILL_MODES.
    """
    batch, _, height, width = images.shape
    zero = images.new_zeros(batch)
    shift_x, shift_y, degrees, shear_x, shear_y, scale, stretch = (
        motions.get(name, zero) for name in AFFINE_PARAMETERS
    )
    angle = degrees * (math.pi / 180)
    cos, sin, area = angle.cos(), angle.sin(), 1 - shear_x * shear_y
    from_x = torch.arange(width, device=images.device) - (width - 1) / 2 - (shift_x * width)[:, None]  # [B, W]
    from_y = torch.arange(height, device=images.device) - (height - 1) / 2 - (shift_y * height)[:, None]  # [B, H]
    # where an output pixel comes from: the inverse of turn @ shear @ scale, y pointing down
    inverse = ((width, scale + stretch, cos - shear_x * sin, -sin - shear_x * cos),
               (height, scale - stretch, sin - shear_y * cos, cos + shear_y * sin))  # fmt: skip
    grid = images.new_empty(batch, height, width, 2)
    for axis, (side, growth, by_x, by_y) in enumerate(inverse):
        shrink = torch.exp(-growth) / (area * (side / 2))  # grid_sample counts in half sides
        part_x, part_y = from_x * (shrink * by_x)[:, None], from_y * (shrink * by_y)[:, None]
        torch.add(part_x[:, None, :], part_y[:, :, None], out=grid[..., axis])
    return grid_sample(images, grid, mode="bilinear", padding_mode=FILL_MODES[fill], align_corners=False)


LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
_YIQ = torch.stack([LUMA, torch.tensor([0.596, -0.274, -0.322]), torch.tensor([0.211, -0.523, 0.312])])
_QUARTER = torch.linalg.inv(_YIQ) @ torch.tensor([[0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64) @ _YIQ
# from RGB to RGB: the luma; the chroma; the chroma rotated by a quarter of the circle
_COLOUR = torch.stack([LUMA.expand(3, 3), torch.eye(3) - LUMA, _QUARTER]).flatten(1).float()  # [3, 9]


def adjust_colour(images: Tensor, draw: Draw | None = None, **amounts: Tensor) -> Tensor:
    """Brightness, contrast, saturation (each times 1 + amount) and hue (rotated by that share of the circle, in YIQ).

    In this order and, as in SimCLR, clamped only at the end (Chen et al. 2020, appendix A). So all four are one
    linear map: matrix @ ((1 + contrast) * image - contrast * its mean).
    """
    zero = images.new_zeros(len(images))
    names = ("brightness", "contrast", "saturation", "hue")
    brightness, contrast, saturation, hue = (amounts.get(name, zero) for name in names)
    matrix, contrast = (1 + brightness)[:, None, None], contrast[:, None, None]
    if images.shape[1] == 3:
        chroma = torch.polar(1 + saturation, hue * (2 * math.pi))
        weights = torch.stack([torch.ones_like(hue), chroma.real, chroma.imag], 1)
        matrix = matrix * (weights @ _COLOUR.to(images.device)).view(-1, 3, 3)
    flat = images.flatten(2)
    offset = (matrix * -contrast) @ flat.mean(2, keepdim=True)
    return torch.baddbmm(offset, matrix * (1 + contrast), flat).clamp_(0, 1).view_as(images)


def _gaussian(side: int, sigma: Tensor) -> Tensor:
    """[B, side, side]: a Gaussian filter along one side, mirrored at the edges so that no light is lost."""
    distances = torch.arange(1 - side, 2 * side, device=sigma.device)
    bell = torch.exp(distances.square() * (-0.5 / sigma.clamp(min=0.01).square())[:, None])  # [B, 3 side - 1]
    right = bell[:, side - 1 :]  # at distances 0 to 2 side - 1
    matrix = bell[:, : 2 * side - 1].unfold(1, side, 1).flip(2)  # [i, j]: the bell at i - j
    matrix += right[:, 1:].unfold(1, side, 1)  # at i + j + 1, mirrored at the near edge
    matrix += right.flip(1)[:, :-1].unfold(1, side, 1)  # at 2 side - 1 - i - j, at the far edge
    return matrix.div_(matrix.sum(2, keepdim=True))


def blur_or_sharpen(images: Tensor, draw: Draw | None = None, **amounts: Tensor) -> Tensor:
    """A Gaussian blur of standard deviation |blur| of the height, and sharpness times 1 + amount: at -1 slightly blurred."""
    batch, channels, height, width = images.shape
    zero = images.new_zeros(batch)
    blur, sharpness = amounts.get("blur", zero), amounts.get("sharpness", zero)
    sigma = torch.where(sharpness == 0, blur.abs() * height, 0.6)
    columns = _gaussian(width, sigma)
    rows = columns if height == width else _gaussian(height, sigma)
    blurred = torch.bmm(images.view(batch, channels * height, width), columns.mT).view_as(images)
    blurred = torch.einsum("bij,bcjk->bcik", rows, blurred)
    return blurred.lerp_(images, _per_image(torch.where(sharpness == 0, 0.0, 1 + sharpness))).clamp_(0, 1)


def posterize(images: Tensor, draw: Draw | None, posterize: Tensor) -> Tensor:
    """The last |amount| bits of each value dropped."""
    step = _per_image(torch.exp2(posterize.abs().round()))
    return (images * 255).round_().div_(step).floor_().mul_(step / 255)


def solarize(images: Tensor, draw: Draw | None, solarize: Tensor) -> Tensor:
    """The brightest |amount| of the range turned into its negative."""
    threshold = _per_image((1 - solarize.abs()) * (256 / 255))  # at 0 above white
    bright = (images - threshold).ge_(0)  # 1 or 0
    return bright.sub_(images).abs_()


def autocontrast(images: Tensor, draw: Draw | None, autocontrast: Tensor | None = None) -> Tensor:
    """Each channel stretched from black to white, whatever the amount."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    flat = high <= low
    return ((images - low.masked_fill(flat, 0)) / (high - low).masked_fill(flat, 1)).clamp_(0, 1)


def add_noise(images: Tensor, draw: Draw, noise: Tensor) -> Tensor:
    """Gaussian noise of standard deviation |amount| on every value."""
    return draw.normal(*images.shape[1:]).mul_(_per_image(noise)).add_(images).clamp_(0, 1)


def cutout(images: Tensor, draw: Draw, cutout: Tensor) -> Tensor:
    """A part of |amount| of each side, at a random position wholly inside, becomes black (DeVries and Taylor 2017)."""
    sides = torch.tensor(images.shape[2:], device=images.device)
    lengths = (cutout.abs()[:, None] * sides).round()  # [B, 2]
    starts = (draw.uniform(2) * (sides - lengths + 1)).floor()
    middles, halves = starts + (lengths - 1) / 2, lengths / 2
    rows, columns = (
        ((torch.arange(side, device=images.device) - middle[:, None]).abs() < half[:, None]).to(images.dtype)
        for side, middle, half in zip(images.shape[2:], middles.unbind(1), halves.unbind(1))
    )
    return images * (1 - rows[:, None, :, None] * columns[:, None, None, :])


# of RandAugment: the function, and its amount at magnitude 1 (after Cubuk et al. 2019, table 6)
RANDAUGMENT_OPERATIONS = {
    "shift_x": (affine, 0.45), "shift_y": (affine, 0.45), "rotate": (affine, 30.0), "shear_x": (affine, 0.3),
    "shear_y": (affine, 0.3), "scale": (affine, 0.4), "brightness": (adjust_colour, 0.9),
    "contrast": (adjust_colour, 0.9), "saturation": (adjust_colour, 0.9), "blur": (blur_or_sharpen, 0.06),
    "sharpness": (blur_or_sharpen, 0.9), "posterize": (posterize, 4.0), "solarize": (solarize, 1.0),
    "autocontrast": (autocontrast, 1.0), "noise": (add_noise, 0.2), "cutout": (cutout, 0.5), "identity": (None, 0.0),
}  # fmt: skip
