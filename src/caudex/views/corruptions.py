"""Corruptions of images, to measure robustness."""

from __future__ import annotations

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.draw import Draw
from caudex.views.operations import add_noise, adjust_colour, affine, blur_or_sharpen, copy_as_float, cutout

# the function, the name of its amount, and the amounts at severity 1 to 5
_OPERATIONS = {
    "noise": (add_noise, "noise", (0.04, 0.08, 0.12, 0.18, 0.26)),
    "blur": (blur_or_sharpen, "blur", (0.05, 0.065, 0.08, 0.1, 0.13)),
    "contrast": (adjust_colour, "contrast", (-0.25, -0.4, -0.55, -0.7, -0.85)),
    "occlusion": (cutout, "cutout", (0.2, 0.3, 0.4, 0.5, 0.6)),
    "shift": (affine, "shift_x", (0.04, 0.08, 0.12, 0.16, 0.2)),
    "rotation": (affine, "rotate", (8.0, 15.0, 22.0, 30.0, 45.0)),
}
CORRUPTIONS = tuple(_OPERATIONS)


def corrupt(images: Tensor, kind: str, severity: int, draw: Draw) -> Tensor:
    """Corrupted images, to measure robustness (after Hendrycks and Dietterich 2019, section 3).

    Strengths are relative to the side, so that they mean the same on small digits and on photos; shift and rotation
    go either way.
    """
    if kind not in CORRUPTIONS:
        raise CaudexError(f"{kind!r} is not a corruption; take one of {', '.join(CORRUPTIONS)}.")
    if severity not in (1, 2, 3, 4, 5):
        raise CaudexError(f"severity {severity!r} is not on the scale; take 1 (slight) to 5 (severe).")
    function, name, amounts = _OPERATIONS[kind]
    images, amount = copy_as_float(images), amounts[severity - 1]
    sign = torch.where(draw.bernoulli(0.5) & (function is affine), -1.0, 1.0)
    return function(images, draw, **{name: sign * amount}).clamp_(0, 1)
