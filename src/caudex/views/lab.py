"""CIE Lab, where lightness stands apart from colour, and the classes that colours fall into (for colorization)."""

from __future__ import annotations

from functools import cache, lru_cache

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.draw import as_float

_WHITE = torch.tensor([0.95047, 1.0, 1.08883], dtype=torch.float64)  # XYZ of the illuminant D65
# xyz of sRGB's red, green and blue, one a column (IEC 61966-2-1)
_PRIMARIES = torch.tensor([[0.64, 0.30, 0.15], [0.33, 0.60, 0.06], [0.03, 0.10, 0.79]], dtype=torch.float64)
# from linear RGB to XYZ as shares of white's: rows sum to 1, so that greys have a = b = 0
_TO_XYZ = _PRIMARIES * torch.linalg.solve(_PRIMARIES, _WHITE) / _WHITE[:, None]
_FROM_XYZ = torch.linalg.inv(_TO_XYZ)
_KNEE = 6 / 29  # below it Lab's cube root gives way to its tangent


def rgb_to_lab(images: Tensor) -> Tensor:
    """sRGB images to L in [0, 100], a and b, [B, 3, H, W]: white is D65 (CIE 15:2004, section 8.2.1)."""
    _check_channels(images, 3, "sRGB images")
    images = as_float(images)
    linear = torch.where(images <= 0.04045, images / 12.92, ((images + 0.055) / 1.055).pow(2.4))
    xyz = _mix_channels(_TO_XYZ, linear)
    # clamped before the power too: its gradient at black is infinite, and `where` would let NaN through
    root = xyz.clamp(min=_KNEE**3).pow(1 / 3)
    root = torch.where(xyz > _KNEE**3, root, xyz / (3 * _KNEE**2) + 4 / 29)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """The inverse of `rgb_to_lab`; colours that sRGB cannot show are clamped to [0, 1] in each channel."""
    _check_channels(lab, 3, "Lab images")
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    return _gamma_encode(_mix_channels(_FROM_XYZ, _lab_curve_inverse(torch.stack([y + a / 500, y, y - b / 200], 1))))


def grey_from_lightness(lightness: Tensor) -> Tensor:
    """The grey images [B, 3, H, W] of a lightness [B, 1, H, W]: three equal channels, nothing left of a and b."""
    _check_channels(lightness, 1, "a lightness")
    return _gamma_encode(_lab_curve_inverse((lightness + 16) / 116)).repeat(1, 3, 1, 1)


def _check_channels(images: Tensor, channels: int, name: str) -> None:
    if images.ndim != 4 or images.shape[1] != channels:
        raise CaudexError(f"{name} of shape {list(images.shape)} cannot be converted; give [B, {channels}, H, W].")


def _mix_channels(matrix: Tensor, images: Tensor) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", matrix.to(images.device, images.dtype), images)


def _lab_curve_inverse(root: Tensor) -> Tensor:
    return torch.where(root > _KNEE, root.pow(3), 3 * _KNEE**2 * (root - 4 / 29))


def _gamma_encode(linear: Tensor) -> Tensor:
    curve = 1.055 * linear.clamp(min=0.0031308).pow(1 / 2.4) - 0.055  # clamped for the gradient, as above
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve).clamp(0, 1)


def ab_bins(step: int = 10) -> Tensor:
    """Centres [Q, 2] of the squares of side `step` of the ab plane that sRGB reaches (Zhang et al. 2016, section 2.1).

    They are multiples of `step`. At step 10 there are 261: those, and only those, that one of the 16.7 million 8-bit
    colours has as its nearest. The paper's list of 313 also has some that no colour is nearest to, as (-90, 50).
    """
    if step < 1:
        raise CaudexError(f"ab_bins(step={step!r}): a step below 1 is finer than 8-bit colours; try step=10.")
    return _reachable_bins(step).clone()


@cache
def _reachable_bins(step: int) -> Tensor:
    # each (a, b) that is reached inside the RGB cube is reached on its faces too: follow L until it leaves the cube
    one, other = torch.meshgrid(*[torch.arange(256, dtype=torch.float64) / 255] * 2, indexing="ij")
    faces = []
    for end in (0.0, 1.0):
        for axis in range(3):
            channels = [one, other]
            channels.insert(axis, torch.full_like(one, end))
            faces.append(torch.stack(channels))
    a, b = (rgb_to_lab(torch.stack(faces))[:, 1:] / step).round().long().add_(128).unbind(1)
    squares = (a * 256 + b).unique()  # |a| and |b| stay below 128
    return (torch.stack([squares // 256, squares % 256], 1) - 128).float() * step


_CELL = 4  # of the table of candidates, in units of a and b: the smaller, the fewer candidates, the more cells
_CELLS = 256 // _CELL  # along a side: a and b from -128 to 128
_CHUNK = 2**16  # pixels at once, each with about 13 candidates


def encode_ab(ab: Tensor, centres: Tensor, nearest: int = 5, sigma: float = 5.0) -> tuple[Tensor, Tensor]:
    """Colours [B, 2, H, W] as soft classes: the K nearest of the centres [Q, 2], and weights that sum to 1.

    Both are [B, K, H, W], the nearest first; the weights are a Gaussian of standard deviation `sigma` of the distance (Zhang et
    al. 2016, section 2.1). Colours beyond +-128, which sRGB does not have, choose among the centres nearest to the rim.
    """
    _check_channels(ab, 2, "colours ab")
    if not 1 <= nearest <= len(centres):
        raise CaudexError(f"encode_ab(nearest={nearest!r}): there are {len(centres)} centres; try nearest=5.")
    if not sigma > 0:
        raise CaudexError(f"encode_ab(sigma={sigma!r}): a standard deviation is above 0; try sigma=5.0.")
    candidates = _candidates(tuple(map(tuple, centres.tolist())), nearest).to(ab.device)  # [cells, M]
    candidate_a, candidate_b = (
        coordinates[candidates] for coordinates in centres.to(ab.device, torch.float32).unbind(1)
    )
    classes, weights = [], []
    for a, b in (part.split(1, 1) for part in ab.movedim(1, 3).reshape(-1, 2).float().split(_CHUNK)):  # [N, 1]
        row, column = (((coordinate + 128) / _CELL).long().clamp_(0, _CELLS - 1) for coordinate in (a, b))
        cell = (row * _CELLS + column).squeeze(1)
        # index_select by coordinate is ten times as fast as fancy indexing of pairs
        squared = (candidate_a.index_select(0, cell) - a).square_()
        squared += (candidate_b.index_select(0, cell) - b).square_()  # [N, M], squared distances
        squared, indices = squared.topk(nearest, 1, largest=False)
        bell = ((squared[:, :1] - squared) / (2 * sigma**2)).exp_()  # relative to the nearest: never all 0
        classes.append(candidates.index_select(0, cell).gather(1, indices))
        weights.append(bell / bell.sum(1, keepdim=True))
    batch, _, height, width = ab.shape
    return tuple(torch.cat(rows).view(batch, height, width, nearest).movedim(3, 1) for rows in (classes, weights))


@lru_cache(maxsize=8)
def _candidates(centres: tuple[tuple[float, float], ...], nearest: int) -> Tensor:
    """int64 [cells, M]: for each cell of the ab plane all centres that can be among the `nearest` of a colour in it.

    A colour is at most half a diagonal r from its cell's middle, so its K nearest are no further from the middle than
    the middle's own K-th plus 2 r.
    """
    middles = (torch.arange(_CELLS) + 0.5) * _CELL - 128
    distances = torch.cdist(
        torch.cartesian_prod(middles, middles), torch.tensor(centres), compute_mode="donot_use_mm_for_euclid_dist"
    )  # [cells, Q]
    max_distance = distances.kthvalue(nearest, 1, keepdim=True).values + 2**0.5 * _CELL + 1e-3  # 1e-3: for rounding
    max_count = int((distances <= max_distance).sum(1).max())
    return distances.topk(max_count, 1, largest=False).indices


def decode_ab(logits: Tensor, centres: Tensor, temperature: float = 0.38) -> Tensor:
    """Colours ab [B, 2, H, W] from logits [B, Q, H, W]: the annealed mean (Zhang et al. 2016, equation 5).

    At temperature 1 it is the mean, which is grey where colours are many; towards 0 the mode, which is blotchy.
    """
    if not temperature > 0:
        raise CaudexError(f"decode_ab(temperature={temperature!r}): a temperature is above 0; try temperature=0.38.")
    _check_channels(logits, len(centres), "logits")
    probabilities = (logits.flatten(2) / temperature).softmax(1)  # [B, Q, HW]
    return (centres.to(logits.device, logits.dtype).T @ probabilities).unflatten(2, logits.shape[2:])
