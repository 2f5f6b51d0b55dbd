"""What a trunk is: an observation in, features out."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from caudex.core.errors import CaudexError


class Features(NamedTuple):
    """What a trunk returns: one vector per example, named intermediate layers, and its recurrent state."""

    pooled: Tensor  # [B, width]
    layers: dict[str, Tensor] = {}  # noqa: RUF012 - maps, tokens or pairs by name; never mutated
    state: Any = None  # recurrent memory or key-value cache


class Trunk(nn.Module):
    """`trunk(x, state=None)` returns `Features`; `width` is the length of `pooled`.

    Of them the last `mask_size` say which actions are allowed, where observations have a mask.
    `widths` are the channels of the maps among `layers`, the finest first.
    `flops(shape)` is the analytic cost of one forward pass of one example of that shape,
    two for each multiply-add of convolutions and linear maps (`compute` counts the same by hooks).
    """

    width: int
    mask_size: int = 0
    widths: dict[str, int] = {}  # noqa: RUF012 - never mutated

    def forward(self, x: Tensor, state: Any = None) -> Features:
        raise NotImplementedError

    def flops(self, shape: tuple[int, ...]) -> float:
        raise NotImplementedError


class Wrapped(Trunk):
    """Any module that returns one vector an example, [B, width], as a trunk."""

    def __init__(self, module: nn.Module, width: int):
        super().__init__()
        self.module, self.width = module, width

    def forward(self, x: Tensor, state: Any = None) -> Features:
        pooled = self.module(x)
        if pooled.ndim != 2 or pooled.shape[1] != self.width:
            raise CaudexError(
                f"the wrapped trunk returned shape {tuple(pooled.shape)}, but its width was given as {self.width}; "
                f"return one vector of {self.width} numbers an example or give the right width."
            )
        return Features(pooled)


def width_of(trunk: nn.Module) -> int:
    """The length of a trunk's pooled features, or a sentence that says how to give one."""
    width = getattr(trunk, "width", None)
    if width is None:
        raise CaudexError(f"{type(trunk).__name__} has no feature size; use trunks.Wrapped(module, width=...).")
    return width


def mask_size_of(trunk: nn.Module) -> int:
    """How many of a trunk's pooled features, the last, say which actions are allowed."""
    return getattr(trunk, "mask_size", 0)
