"""Which labelled texts are learned from, and which are held out for the test."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.labels import describe_classes
from caudex.data.stratified import stratified_sample
from caudex.data.text.labelled_texts import LabelledTexts

TEST_SHARE, MAX_TEST = 0.25, 1000  # of each class; texts of each class


class TextSplit(NamedTuple):
    """What `split_texts` returns; `unlabelled` are texts whose labels are not kept, `notes` sentences for the screen."""

    train: LabelledTexts
    test: LabelledTexts
    notes: list[str]
    unlabelled: LabelledTexts


def split_texts(texts: LabelledTexts, labels_per_class: int, seed: int) -> TextSplit:
    """Hold out the texts' own test, or else a quarter of each class, at most 1,000 of each; keep so many labels of the
    others, 0 for all. A text that is equal to one of the test is not learned from. CaudexError where a class has none left."""
    train, test = _hold_out(texts, seed)
    is_new = ~train.stands_in(test)
    labels = torch.where(is_new, train.labels, -1)
    counts = torch.bincount(labels[is_new], minlength=len(texts.classes))
    if not counts.min():
        name = texts.classes[int(counts.argmin())]
        raise CaudexError(f"no text of class {name!r} is left to learn from, besides those of the test; add another.")
    notes = list(texts.notes)
    if twins := int((~is_new).sum()):
        notes.append(f"texts equal to one of the test, not learned from: {twins:,}")
    per_class = [labels_per_class] * len(texts.classes)
    is_kept = is_new
    if labels_per_class:
        is_kept = torch.zeros_like(is_new)
        is_kept[stratified_sample(labels, per_class, seed, "labels")] = True
    unlabelled, train = train.select(is_new & ~is_kept), train.select(is_kept)
    counts, test_counts = (torch.bincount(part.labels, minlength=len(texts.classes)).tolist() for part in (train, test))
    notes.append(
        f"texts of each class, to learn from + to test on: {describe_classes(texts.classes, counts, test_counts)}"
    )
    return TextSplit(train, test, notes, unlabelled)


def _hold_out(texts: LabelledTexts, seed: int) -> tuple[LabelledTexts, LabelledTexts]:
    if texts.test is not None:
        counts = _class_counts(texts.test).clamp(max=MAX_TEST)
        return texts, texts.test.select(stratified_sample(texts.test.labels, counts.tolist(), seed, "test"))
    counts = _class_counts(texts)
    if counts.min() < 2:
        name = texts.classes[int(counts.argmin())]
        raise CaudexError(f"There is one text of class {name!r}; two are the least, one of them to test on.")
    test_counts = (counts * TEST_SHARE).round().clamp(1, MAX_TEST).long().tolist()
    is_test = torch.zeros(len(texts), dtype=torch.bool)
    is_test[stratified_sample(texts.labels, test_counts, seed, "test")] = True
    return texts.select(~is_test), texts.select(is_test)


def _class_counts(texts: LabelledTexts) -> Tensor:
    return torch.bincount(texts.labels, minlength=len(texts.classes))
