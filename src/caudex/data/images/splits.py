"""Which images are labelled, which are not, and which are held out for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Literal

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images.image_set import ImageSet, Split
from caudex.data.images.leaks import twins
from caudex.data.images.loading import settle

FEWEST_TO_HOLD_OUT = 5


@dataclass(frozen=True, eq=False)
class Found:
    """What a reader hands over: all images with all labels, the rows of a given test set, and what was left out.

    `leaks`: what becomes of a training image that also stands in the given test. "keep" for published sets, whose
    figures everybody measures so; "raise" for a folder of the user, unless nobody labelled it; else "drop".
    """

    everything: ImageSet
    test: Tensor | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    leaks: Literal["keep", "raise", "drop"] = "drop"


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
    """How many images each class has."""
    return torch.bincount(labels[labels >= 0], minlength=len(classes)).tolist()


def divide(
    found: Found, labels_per_class: int | None, seed: int, draw: int, test_share: float, need_labels: bool
) -> Split:
    """Hold out the test by `seed`, drop from training what also stands there, draw the labels that are kept by `draw`.

    Raises CaudexError where no two classes can be learned but `need_labels`, or a class has fewer labels than are to
    be kept.
    """
    everything, test, leaks = found.everything, found.test, found.leaks
    can_teach = _can_teach if need_labels else lambda labels, classes: None
    if not need_labels and len(everything.classes) < 2:  # one folder of images is no class
        everything = replace(everything.unlabelled(), classes=())
    can_teach(everything.labels, everything.classes)
    if test is None:
        test, leaks = _held_out(everything, seed, test_share), "drop"
    training = torch.ones(len(everything), dtype=torch.bool)
    training[test] = False
    dropped = _without_leaks(everything, training, test, leaks)
    labelled = training & (everything.labels >= 0)
    if dropped and training.sum() < 2:
        (name, reason), *_ = dropped
        raise CaudexError(
            f"No two images are left to learn from: {name} is {reason}, and so on. Give some that differ."
        )
    can_teach(everything.labels[labelled], everything.classes)
    if labels_per_class is not None:
        kept = _drawn(everything, labelled, labels_per_class, draw)
        labelled = torch.zeros_like(labelled)
        labelled[kept] = True
    few, unreadable = settle(everything.take(labelled))
    held_out, more = settle(everything.take(test))
    can_teach(few.labels, few.classes)
    many, every = (everything.take(part).unlabelled() for part in (training & ~labelled, training))
    return Split(few, many, held_out, found.skipped + dropped + unreadable + more, every)


def _can_teach(labels: Tensor, classes: Sequence[str]) -> None:
    counts = per_class(labels, classes)
    if not sum(counts):
        raise CaudexError("No image is labelled; a classifier needs some of at least two classes.")
    if len(classes) < 2:
        raise CaudexError(f"There is one class, {classes[0]!r}; a classifier needs two.")
    if not all(counts):
        raise CaudexError(f"Class {classes[counts.index(0)]!r} has no readable labelled image left; add some.")


def _held_out(everything: ImageSet, seed: int, share: float) -> Tensor:
    """At least one image a class, and never all; none at all where a class has fewer than five."""
    counts = per_class(everything.labels, everything.classes)
    if min(counts, default=0) < FEWEST_TO_HOLD_OUT or not share:
        return torch.zeros(0, dtype=torch.int64)
    shares = [min(count - 1, max(1, round(count * share))) for count in counts]
    return stratified(everything.labels, shares, seed, "test share")


def _without_leaks(everything: ImageSet, training: Tensor, test: Tensor, leaks: str) -> list[tuple[str, str]]:
    """Takes the images of the test out of `training` (bool [N], changed in place): (path, reason) of each."""
    if leaks == "keep" or not len(test):
        return []
    pairs = twins(everything, training.nonzero().flatten(), test)
    taught = [pair for pair in pairs if everything.labels[pair[0]] >= 0]
    if taught and leaks == "raise":
        one, other = (everything.name(place) for place in taught[0])
        raise CaudexError(
            f"{len(taught):,} labelled images also stand in the test, for example {one} as {other}. "
            "Remove them from one of the two, else the test measures memory."
        )
    training[[place for place, _ in pairs]] = False
    return [(everything.name(place), f"also in the test, as {everything.name(other)}") for place, other in pairs]


def _drawn(everything: ImageSet, labelled: Tensor, wanted: int, seed: int) -> Tensor:
    labels = torch.where(labelled, everything.labels, -1)
    for name, count in zip(everything.classes, per_class(labels, everything.classes)):
        if wanted > count:
            raise CaudexError(
                f"{wanted:,} labels a class cannot be kept: class {name!r} has {count:,} labelled images to draw "
                f"from. Choose between 1 and {count:,}."
            )
    return stratified(labels, [wanted] * len(everything.classes), seed, "label draw")
