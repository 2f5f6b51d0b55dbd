"""What a signal is: a head, and the loss that teaches it and through it the trunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from msgspec import Struct
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.registry import find_class


class SignalOutput(NamedTuple):
    """The loss and the metrics of one signal on one batch."""

    loss: Tensor  # a scalar
    metrics: dict[str, Tensor | Callable[[], Tensor]] = {}  # noqa: RUF012 - scalars to be logged; never mutated.
    # A function is called once for each row of metrics, at its last step: for metrics that cost time
    examples: Tensor | None = None  # one figure an example (TD errors), handed back to the source


class Signal(nn.Module):
    """A head and the loss that teaches it, and through it the trunk.

    A signal knows no data sets, files, devices or loops. `loss` returns `SignalOutput`, or None for "not this step"; no
    process of several may be left with None alone while the others have a loss.
    """

    weight: float = 1.0
    """the learner multiplies the loss by it"""
    progress: float = 0.0
    """how much of the training is over, in [0, 1]; the learner sets it before it calls `loss`"""
    needs: str = "unlabelled"
    """which of a system's sources feeds this signal when it is added by `--also`: labelled, unlabelled, pairs, frames"""

    @classmethod
    def from_spec(cls, argument: str | None, spec: Struct) -> Signal:
        """The signal of the command line's `NAME:argument`; `spec` is what the system knows of its data."""
        if argument is not None:
            raise CaudexError(
                f"--also {argument!r} is neither a weight nor anything that this signal knows; say NAME:0.5."
            )
        return cls(**cls.arguments_from(spec))

    @classmethod
    def arguments_from(cls, spec: Struct) -> dict:
        """Arguments that follow from `spec`; raises CaudexError where there is nothing to learn in such data."""
        return {}

    def build(self, trunk: nn.Module) -> None:
        """Make the head, now that the trunk's widths are known."""

    def groups(self) -> list[dict]:
        """Parameter groups with settings of their own (lr, betas, max_grad_norm); all others are stepped with the trunk."""
        return []

    def chance_loss(self) -> float | None:
        """The loss of a predictor that has learned nothing (ln K for K classes); plotted beside the curve."""
        return None

    def loss(self, trunk: nn.Module, batch) -> SignalOutput | None:
        raise NotImplementedError


MIN_SQUARED_ERROR = 1 / 255**2
"""lower bound of a squared error that another is divided by: one step of 8 bits, so that a still video or a black image does not
dominate"""


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it gradients pass through `module` but not into it (an actor's loss through its critic)."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of rows [B, K] whose largest logit is the label's [B]."""
    return (logits.argmax(1) == labels).float().mean()


def signal_from_spec(flag: str, spec: Struct) -> tuple[str, Signal]:
    """`rotation`, `rotation:0.5`, `labels:colour:0.5` to a name and a signal with its weight.

    Raises CaudexError as `parse_spec` does, and where the data lack what the signal needs.
    """
    name, kind, argument, weight = parse_spec(flag)
    signal = kind.from_spec(argument, spec)
    signal.weight = weight
    return name, signal


def parse_spec(flag: str) -> tuple[str, type[Signal], str | None, float]:
    """Name, class, argument and weight; needs no data.

    Raises CaudexError for an unknown name or a weight that is not positive.
    """
    name, *rest = flag.split(":")
    weight = 1.0
    if rest and _parse_float(rest[-1]) is not None:
        weight = _parse_float(rest.pop())
    if not 0 < weight < float("inf"):
        raise CaudexError(f"--also {flag}: a weight must be positive and finite; try {name}:0.5.")
    return "-".join([name, *rest]), find_class("signals", name), rest[0] if rest else None, weight


def _parse_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
