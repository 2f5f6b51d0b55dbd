"""What a source is: where batches come from, with what `fit` must know of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

from torch import Tensor

from caudex.core.typed_json import Count


class SamplesSeen(TypedDict):
    """The state of a source whose batches follow from how many samples were drawn before."""

    samples_seen: Count


class Source:
    """An iterator of NamedTuples whose first field is the observation; what it does not override, it does not need.

    `samples_seen` counts what was drawn: images, tokens or steps of an environment; where a person wants to read how many, and how
    many a second, `sample_unit` is their name. `flops` counts the operations that the
    source spent itself, to act. `fit` saves a checkpoint only where `can_checkpoint` holds. `inexact_reason` says why a
    resumed training differs from one that was not stopped; None: it does not.
    """

    can_checkpoint: bool = True
    samples_seen: int = 0
    sample_unit: str = ""
    flops: float = 0.0
    inexact_reason: str | None = None

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        raise NotImplementedError

    def metrics(self) -> dict[str, float]:
        """Figures of what was seen since the last call, written with those of the signals."""
        return {}

    def update_priorities(self, examples: Tensor) -> None:
        """`SignalOutput.examples` of the last batch, [B]."""

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Go on where `state_dict` was taken."""


class SourceWrapper(Source):
    """A source whose batches are those of `source`, changed by `__next__`."""

    def __init__(self, source: Source):
        self.source = source

    @property
    def can_checkpoint(self) -> bool:
        return self.source.can_checkpoint

    @property
    def samples_seen(self) -> int:
        return self.source.samples_seen

    @property
    def sample_unit(self) -> str:
        return self.source.sample_unit

    @property
    def flops(self) -> float:
        return self.source.flops

    @property
    def inexact_reason(self) -> str | None:
        return self.source.inexact_reason

    def metrics(self) -> dict[str, float]:
        return self.source.metrics()

    def update_priorities(self, examples: Tensor) -> None:
        self.source.update_priorities(examples)

    def state_dict(self) -> dict:
        return self.source.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.source.load_state_dict(state)


class PlainIterator(Source):
    """Any other iterable of batches, such as torch's DataLoader; it is gone through once and does not resume."""

    inexact_reason = "a plain iterator of batches begins anew; give a Source with state_dict and load_state_dict"

    def __init__(self, batches):
        self.batches = iter(batches)

    def __next__(self) -> Any:
        return next(self.batches)


def as_source(batches) -> Source:
    return batches if isinstance(batches, Source) else PlainIterator(batches)
