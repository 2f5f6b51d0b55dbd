"""Which images are labelled, which are not, and which are held out for the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.images.duplicates import find_duplicates
from caudex.data.images.image_set import ImageSet, Split
from caudex.data.images.pixel_range import describe_range
from caudex.data.images.stores import load_into_memory
from caudex.data.images.targets import is_labelled, sample_test_rows
from caudex.data.labels import similar_classes
from caudex.data.stratified import class_counts, held_out_counts, stratified_sample

MIN_PER_CLASS_FOR_TEST = 5


@dataclass(frozen=True, eq=False)
class UnsplitImages:
    """What a reader returns: all images with all labels, the rows of a given test set, what was left out, and sentences
    on how the set was read.

    `duplicates`: what happens to a training image that is also in the given test. "keep" for published sets, as
    published figures do; "raise" for a folder of the user, unless the image is unlabelled; else "drop".
    """

    images: ImageSet
    test_rows: Tensor | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    duplicates: Literal["keep", "raise", "drop"] = "drop"
    notes: list[str] = field(default_factory=list)

    @property
    def is_test(self) -> Tensor:
        """bool [N]: the rows of the given test."""
        is_test = torch.zeros(len(self.images), dtype=torch.bool)
        if self.test_rows is not None:
            is_test[self.test_rows] = True
        return is_test


def split_images(
    unsplit: UnsplitImages,
    labels_per_class: int | None,
    seed: int,
    label_seed: int,
    test_share: float,
    need_labels: bool,
) -> Split:
    """Hold out the test by `seed`, drop its duplicates from training, sample the labels to keep by `label_seed`.

    Raises CaudexError where no two classes can be learned but `need_labels`, or a class has fewer labels than are to
    be kept.
    """
    images, test_rows, duplicates = unsplit.images, unsplit.test_rows, unsplit.duplicates
    check_learnable = CHECKS[images.target] if need_labels else lambda labels, classes: None
    if not need_labels and len(images.classes) < 2:  # one folder of images is no class
        images = replace(images.without_labels(), classes=())
    check_learnable(images.labels, images.classes)
    if test_rows is None:
        sample = _sample_test_images if images.target == "class" else _sample_test_of_targets
        test_rows, duplicates = sample(images, seed, test_share), "drop"
    training = torch.ones(len(images), dtype=torch.bool)
    training[test_rows] = False
    dropped = _drop_duplicates(images, training, test_rows, duplicates)
    labelled = training & images.is_labelled
    if dropped and training.sum() < 2:
        (name, reason), *_ = dropped
        raise CaudexError(
            f"No two images are left to learn from: {name} is {reason}, and so on. Give some that differ."
        )
    check_learnable(images.labels[labelled], images.classes)
    if labels_per_class is not None:
        rows = _sample_labels(images, labelled, labels_per_class, label_seed)
        labelled = torch.zeros_like(labelled)
        labelled[rows] = True
    labelled_images, unreadable = load_into_memory(images.take(labelled))
    test, unreadable_test = load_into_memory(images.take(test_rows))
    check_learnable(labelled_images.labels, labelled_images.classes)
    unlabelled, train = (images.take(part).without_labels() for part in (training & ~labelled, training))
    skipped = unsplit.skipped + dropped + unreadable + unreadable_test
    notes = [*unsplit.notes, *similar_classes(images.classes)]
    if sentence := describe_range(images.image_format.pixel_range):
        notes.append(sentence)
    return Split(labelled_images, unlabelled, test, skipped, train, notes)


def _check_learnable(labels: Tensor, classes: Sequence[str]) -> None:
    counts = class_counts(labels, classes)
    if not sum(counts):
        raise CaudexError("No image is labelled; a classifier needs some of at least two classes.")
    if len(classes) < 2:
        raise CaudexError(f"There is one class, {classes[0]!r}; a classifier needs two.")
    if not all(counts):
        raise CaudexError(f"Class {classes[counts.index(0)]!r} has no readable labelled image left; add some.")


def _check_tags(labels: Tensor, tags: Sequence[str]) -> None:
    counts = labels[is_labelled(labels)].sum(0).tolist()
    if len(labels) and not all(counts):
        raise CaudexError(f"Tag {tags[counts.index(0)]!r} is on no readable labelled image that is left; add some.")


def _check_numbers(labels: Tensor, _: Sequence[str]) -> None:
    if len(values := labels[is_labelled(labels)].unique()) < 2:
        problem = f"the same number, {values.item():g}, on all of them" if len(values) else "no number on any of them"
        raise CaudexError(f"The labelled images that are left to learn from have {problem}; add others.")


CHECKS = {"class": _check_learnable, "tags": _check_tags, "number": _check_numbers}
"""raise CaudexError where labels of that kind, of images with these classes or tags, cannot be learned"""


def _sample_test_of_targets(images: ImageSet, seed: int, share: float) -> Tensor:
    return sample_test_rows(images.labels, share, seed)


def _sample_test_images(images: ImageSet, seed: int, share: float) -> Tensor:
    """At least one image a class, and never all; none at all where a class has fewer than five."""
    counts = class_counts(images.labels, images.classes)
    if min(counts, default=0) < MIN_PER_CLASS_FOR_TEST or not share:
        return torch.zeros(0, dtype=torch.int64)
    return stratified_sample(images.labels, held_out_counts(counts, share), seed, "test share")


def _drop_duplicates(images: ImageSet, training: Tensor, test_rows: Tensor, duplicates: str) -> list[tuple[str, str]]:
    """Takes the images of the test out of `training` (bool [N], changed in place): (path, reason) of each."""
    if duplicates == "keep" or not len(test_rows):
        return []
    pairs = find_duplicates(images, training.nonzero().flatten(), test_rows)
    labelled = [pair for pair in pairs if images.is_labelled[pair[0]]]
    if labelled and duplicates == "raise":
        name, duplicate = (images.name(row) for row in labelled[0])
        raise CaudexError(
            f"{len(labelled):,} labelled images also stand in the test, for example {name} as {duplicate}. "
            "Remove them from one of the two, else the test measures memory."
        )
    training[[row for row, _ in pairs]] = False
    return [(images.name(row), f"also in the test, as {images.name(other)}") for row, other in pairs]


def _sample_labels(images: ImageSet, labelled: Tensor, labels_per_class: int, seed: int) -> Tensor:
    labels = torch.where(labelled, images.labels, -1)
    for name, count in zip(images.classes, class_counts(labels, images.classes)):
        if labels_per_class > count:
            raise CaudexError(
                f"{labels_per_class:,} labels a class cannot be kept: class {name!r} has {count:,} labelled images to draw "
                f"from. Choose between 1 and {count:,}."
            )
    return stratified_sample(labels, [labels_per_class] * len(images.classes), seed, "label draw")
