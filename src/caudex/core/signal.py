"""What a signal is: a head, and the loss that teaches it and through it the trunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.registry import find_class


class SignalOutput(NamedTuple):
    """What one signal says of one batch."""

    loss: Tensor  # a scalar
    metrics: dict[str, Tensor | Callable[[], Tensor]] = {}  # noqa: RUF012 - scalars to be logged; never mutated.
    # A function is asked once for each row of metrics, at its last step, for what would cost something at each step
    examples: Tensor | None = None  # one figure an example (TD errors), handed back to the source


class Signal(nn.Module):
    """A head and the loss that teaches it, and through it the trunk.

    A signal knows no data sets, files, devices or loops. `loss` returns `Taught`, or None for "not this step"; of
    several processes none may be left without any signal that speaks while the others have one.
    """

    weight: float = 1.0
    """what the learner multiplies the loss by"""
    progress: float = 0.0
    """how much of the training is over, in [0, 1]; the learner says it before it asks for a loss"""
    needs: str = "unlabelled"
    """which of a system's sources feeds this signal when it is added by `--also`: labelled, unlabelled, pairs, frames"""

    @classmethod
    def from_spec(cls, what: str | None, facts: dict) -> Signal:
        """Made from the command line's `NAME:what`; `facts` is what the system knows of its data."""
        if what is not None:
            raise CaudexError(f"--also {what!r} is neither a weight nor anything that this signal knows; say NAME:0.5.")
        return cls(**cls.arguments_from(facts))

    @classmethod
    def arguments_from(cls, facts: dict) -> dict:
        """Arguments that follow from `facts`; raises CaudexError where there is nothing to learn in such data."""
        return {}

    def build(self, trunk: nn.Module) -> None:
        """Make the head, now that the trunk's widths are known."""

    def groups(self) -> list[dict]:
        """Parameter groups with settings of their own (lr, betas, clip); all others are stepped with the trunk."""
        return []

    def chance_loss(self) -> float | None:
        """The loss of one who learned nothing, drawn beside the curve (ln K for a K-way choice)."""
        return None

    def loss(self, trunk: nn.Module, batch) -> SignalOutput | None:
        raise NotImplementedError


LEAST = 1 / 255**2
"""of a squared error that another is measured by: one step of 8 bits, lest a still film or a black image count most"""


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it gradients pass through `module` but not into it (an actor's loss through its critic)."""
    learned = [p for p in module.parameters() if p.requires_grad]
    for p in learned:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learned:
            p.requires_grad_(True)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of rows [B, K] whose largest logit is the label's [B]."""
    return (logits.argmax(1) == labels).float().mean()


def signal_from_spec(words: str, facts: dict) -> tuple[str, Signal]:
    """`rotation`, `rotation:0.5`, `labels:colour:0.5` to a name and a signal with its weight.

    Raises CaudexError as `meant` does, and where the data have no such thing.
    """
    name, kind, what, weight = parse_spec(words)
    signal = kind.from_spec(what, facts)
    signal.weight = weight
    return name, signal


def parse_spec(words: str) -> tuple[str, type[Signal], str | None, float]:
    """Name, kind, what of it, and weight, as far as they are known before any data.

    Raises CaudexError for an unknown name or a weight that is not positive.
    """
    name, *rest = words.split(":")
    weight = 1.0
    if rest and _number(rest[-1]) is not None:
        weight = _number(rest.pop())
    if not 0 < weight < float("inf"):
        raise CaudexError(f"--also {words}: a weight must be positive and finite; try {name}:0.5.")
    return "-".join([name, *rest]), find_class("signals", name), rest[0] if rest else None, weight


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
