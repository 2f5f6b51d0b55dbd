"""The base class of random views: it checks the settings; and views one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.views.draw import Draw
from caudex.views.operations import FILL_MODES, RANDAUGMENT_OPERATIONS, copy_as_float

_NOT_NEGATIVE = lambda value: value >= 0  # noqa: E731
_SHARE = lambda value: 0 <= value <= 1  # noqa: E731
_SETTINGS = {  # name: (is it valid, what it must be, an example)
    "p": (_SHARE, "is a chance, from 0 to 1", 0.5),
    "share": (_SHARE, "is a share of the side, from 0 to 1", 0.1),
    "padding": (_NOT_NEGATIVE, "counts pixels and cannot be negative", 4),
    "degrees": (lambda value: 0 <= value <= 180, "is the largest angle, from 0 to 180", 15.0),
    "slope": (_SHARE, "is the largest slope, from 0 to 1", 0.3),
    **dict.fromkeys(
        ("brightness", "contrast", "saturation"), (_NOT_NEGATIVE, "is a strength and cannot be negative", 0.4)
    ),
    "hue": (lambda value: 0 <= value <= 0.5, "is a share of the colour circle, from 0 to 0.5", 0.1),
    "std": (_NOT_NEGATIVE, "is a standard deviation and cannot be negative", 0.1),
    "scale": (lambda value: 0 < value[0] <= value[1] <= 1, "is the (least, most) area, in (0, 1]", (0.08, 1.0)),
    "ratio": (lambda value: 0 < value[0] <= value[1], "is (least, most) and above 0", (0.75, 1.33)),
    "sigma": (lambda value: 0 <= value[0] <= value[1], "is (least, most), in pixels", (0.1, 2.0)),
    "fill": (lambda value: value in FILL_MODES, f"is one of {', '.join(FILL_MODES)}", "border"),
    "num_ops": (_NOT_NEGATIVE, "counts operations and cannot be negative", 2),
    "magnitude": (_SHARE, "lies between 0 and 1", 0.5),
    "operations": (
        lambda value: value and set(value) <= set(RANDAUGMENT_OPERATIONS),
        f"are some of {', '.join(RANDAUGMENT_OPERATIONS)}",
        ("rotate", "contrast"),
    ),
    "views": (
        lambda value: all(map(callable, value)),
        "are callables (images, draw)",
        "(RandomCrop(4), RandomHorizontalFlip())",
    ),
}


class View:
    """Checks its settings, and hands `apply` float32 images that it may write into."""

    def __post_init__(self):
        for name, value in vars(self).items():
            is_valid, requirement, example = _SETTINGS[name]
            if not is_valid(value):
                raise CaudexError(
                    f"{type(self).__name__}({name}={value!r}): {name} {requirement}; try {name}={example!r}."
                )

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        images = copy_as_float(images)
        return self.apply(images, draw).clamp_(0, 1) if len(images) else images  # interpolation may exceed 1 by 1e-7


@dataclass(frozen=True)
class Compose(View):
    """One view after another."""

    views: tuple[Callable[[Tensor, Draw], Tensor], ...]

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        for view in self.views:
            images = view(images, draw.child(slice(None)))
        return images
