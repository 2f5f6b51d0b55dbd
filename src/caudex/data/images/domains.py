"""Images of one kind from two domains, such as a simulator and reality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from caudex.core.errors import CaudexError, counted
from caudex.data.images.formats import load_images
from caudex.data.images.image_set import ImageSet, Split

MIN_IMAGES = 20
"""of each domain, or nothing can be said on whether they can be told apart"""


class Domains(NamedTuple):
    """The source, whose labels are learned from, and the target. Of the target, `train` has no labels, and `labelled` and `test`,
    empty where there are none, are to measure with; its classes are those of the source, in their order."""

    source: Split
    target: Split


def load_domains(source: str, target: str, *, labels: str | None = None, size: int = 0, **options) -> Domains:
    """The images of both, in one size and number of channels. `labels` is a table for those of the source; `size` 0 takes what suits the
    target; the rest as in `load_images`. Raises CaudexError on whatever a user can mend, also where an image stands in both."""
    target_split = load_images(target, size=size, need_labels=False, **options)
    _, height, width = target_split.train.shape
    if height != width:
        target_split = load_images(target, size=min(height, width), need_labels=False, **options)
    source_split = load_images(source, labels=labels, size=min(height, width), **options)
    if source_split.labelled.shape != target_split.train.shape:  # one is grey, the other in colour
        source_split, target_split = _in_colour(source_split), _in_colour(target_split)
    target_split = _match_classes(target_split, target, source_split.labelled.classes)
    _check_disjoint(source_split, target_split)
    for name, images in ((source, source_split.labelled), (target, target_split.train)):
        if len(images) < MIN_IMAGES:
            raise CaudexError(
                f"{name} has {counted(len(images), 'image')} to learn from; that two domains look alike cannot be learned from fewer "
                f"than {MIN_IMAGES} of each. Add some."
            )
    return Domains(source_split, target_split)


def _in_colour(split: Split) -> Split:
    names = ("labelled", "unlabelled", "test", "train")
    return replace(split, **{name: getattr(split, name).in_colour() for name in names})


def _match_classes(split: Split, name: str, classes: Sequence[str]) -> Split:
    """The labels of the target as numbers of the source's classes."""
    own_classes = split.labelled.classes
    if unknown := sorted(set(own_classes) - set(classes)):
        raise CaudexError(
            f"{name} has a class {unknown[0]!r} that the source has not; its classes are {', '.join(classes)}. Rename it, or give "
            "the target's images without labels: in one folder, or below a folder unlabelled/."
        )
    numbers = torch.tensor(
        [classes.index(own_class) for own_class in own_classes] + [-1]
    )  # the last for unlabelled images

    def match(images: ImageSet) -> ImageSet:
        return replace(images, labels=numbers[images.labels], classes=tuple(classes))

    return replace(split, labelled=match(split.labelled), test=match(split.test), train=match(split.train))


def _check_disjoint(source: Split, target: Split) -> None:
    """Raises CaudexError for an image with equal pixels in both; what is decoded on demand is not compared."""
    parts = [part for part in (target.test, target.train) if part.in_memory]
    names = {key: part.name(i) for part in parts for i, key in enumerate(part.hashes())}
    sources = [part for part in (source.labelled, source.test) if part.in_memory]
    both = [(part.name(i), names[key]) for part in sources for i, key in enumerate(part.hashes()) if key in names]
    if both:
        name, other = both[0]
        raise CaudexError(
            f"{len(both):,} images of the source also stand in the target, for example {name} as {other}. Remove them from one of "
            "the two: a label would give away the answer."
        )
