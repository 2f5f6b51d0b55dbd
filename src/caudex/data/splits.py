"""Which pictures are labelled, which are not, and which are held out for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import torch
from torch import Tensor

from caudex.data.pictures import Pictures, Split
from caudex.errors import CaudexError

FEWEST_TO_HOLD_OUT = 5


@dataclass(frozen=True, eq=False)
class Found:
    """What a reader hands over: all pictures with all labels, the rows of a given test set, and what was left out.

    `official` marks published sets, whose test is kept as published even if a picture stands on both sides;
    `mine` marks a test folder of the user, where that is an error.
    """

    everything: Pictures
    test: Tensor | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    official: bool = False
    mine: bool = False


def order(count: int, seed: int, purpose: str) -> Tensor:
    """int64 [count]: a random order that depends only on seed and purpose."""
    digest = blake2b(f"{purpose}:{seed}".encode(), digest_size=7).digest()
    return torch.randperm(count, generator=torch.Generator().manual_seed(int.from_bytes(digest)))


def stratified(labels: Tensor, counts: Sequence[int], seed: int, purpose: str) -> Tensor:
    """int64: `counts[k]` places with label k, drawn at random, in ascending order.

    With one seed a draw of few lies within the draw of more.
    """
    shuffled = order(len(labels), seed, purpose)
    taken = [shuffled[labels[shuffled] == label][:count] for label, count in enumerate(counts)]
    return torch.cat(taken).sort().values


def shares(counts: Sequence[int], total: int) -> list[int]:
    """Whole numbers in proportion to `counts` that sum to `total` (largest remainders; ties to the first)."""
    exact = [count * total / sum(counts) for count in counts]
    parts = [int(each) for each in exact]
    by_remainder = sorted(range(len(exact)), key=lambda k: parts[k] - exact[k])
    for k in by_remainder[: total - sum(parts)]:
        parts[k] += 1
    return parts


def per_class(labels: Tensor, classes: Sequence[str]) -> list[int]:
    """How many pictures each class has."""
    return torch.bincount(labels[labels >= 0], minlength=len(classes)).tolist()


def divide(found: Found, labels_per_class: int | None, seed: int, test_share: float) -> Split:
    """Hold out the test, drop from training what also stands there, draw the labels that are kept."""
    everything, skipped = found.everything, list(found.skipped)
    test = found.test
    if test is None:
        test = _held_out(everything, seed, test_share)
    training = torch.ones(len(everything), dtype=torch.bool)
    training[test] = False
    labelled = training & (everything.labels >= 0)
    if labels_per_class is not None:
        kept = _drawn(everything, labelled, labels_per_class, seed)
        labelled = torch.zeros_like(labelled)
        labelled[kept] = True
    return Split(
        everything.take(labelled), everything.take(training & ~labelled).unlabelled(), everything.take(test), skipped
    )


def _held_out(everything: Pictures, seed: int, share: float) -> Tensor:
    counts = per_class(everything.labels, everything.classes)
    if min(counts) < FEWEST_TO_HOLD_OUT or not share:
        return torch.zeros(0, dtype=torch.int64)
    return stratified(everything.labels, [max(1, round(count * share)) for count in counts], seed, "test share")


def _drawn(everything: Pictures, labelled: Tensor, wanted: int, seed: int) -> Tensor:
    labels = torch.where(labelled, everything.labels, -1)
    for name, count in zip(everything.classes, per_class(labels, everything.classes)):
        if not 1 <= wanted <= count:
            raise CaudexError(
                f"{wanted} labels a class cannot be kept: class {name!r} has {count:,} labelled pictures to draw "
                f"from. Choose between 1 and {count:,}."
            )
    return stratified(labels, [wanted] * len(everything.classes), seed, "label draw")
