"""Changed copies are found; other images, and plain ones, are not."""

import time
from functools import cache

import numpy as np
import pytest
import torch
from helpers.cuts import as_image_set, change, cuts_of_photos
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex import data
from caudex.data.images import near_duplicates as module
from caudex.data.images.near_duplicates import near_duplicates


def training(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.bool)


@pytest.mark.parametrize("how", ["compressed", "smaller", "paler"])
def test_changed_copies_are_found_and_nothing_else(how):
    images = [image for image in cuts_of_photos(200, side=64) if image.std() > 45][:40]
    changed = [change(image, how) for image in images]
    copies = near_duplicates(as_image_set(images + changed, [0] * 80), training(80)).copies
    assert len(copies) >= 36 and all(row - first == 40 for row, first in copies.items())


def test_plain_images_are_duplicates_only_where_they_are_equal():
    plain = [np.full((16, 16, 3), grey, dtype=np.uint8) for grey in (0, 7, 7, 200, 7)]
    assert near_duplicates(as_image_set(plain, [0] * 5), training(5)) == ({}, {}, {2: 1, 4: 2})


def test_no_two_digits_are_nearly_equal():
    images = data.load_images("digits").train
    assert near_duplicates(images, training(len(images))) == ({}, {}, {})


@cache
def four_images() -> list[np.ndarray]:
    return [image for image in cuts_of_photos(60, side=16) if image.std() > 45][:4]


@settings(max_examples=30, deadline=None)
@given(some.lists(some.tuples(some.integers(0, 3), some.integers(-1, 2), some.booleans()), min_size=1, max_size=14))
def test_each_image_has_the_partner_that_comparing_all_pairs_gives(kinds):
    """`kinds`: which of four images, the label, whether it is of the test."""
    labels, is_test = [label for _, label, _ in kinds], [test for *_, test in kinds]
    images = as_image_set([four_images()[number] for number, *_ in kinds], labels, ("a", "b", "c"))
    leaks, contradictions, copies, count = {}, {}, {}, len(kinds)
    for i in range(count):
        for j in [j for j in range(count) if j != i and kinds[j][0] == kinds[i][0]]:
            if is_test[i] != is_test[j]:
                leaks |= {i: j} if i not in leaks and not is_test[i] else {}
            elif labels[i] != labels[j] and min(labels[i], labels[j]) >= 0:
                contradictions |= {i: j} if i not in contradictions and i < j else {}
            else:
                copies |= {i: j} if i not in copies and i > j else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 3)
        assert near_duplicates(images, torch.tensor(is_test)) == (leaks, contradictions, copies)


def test_of_many_copies_no_pairs_are_held():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    images, start = as_image_set([image] * 5000, [0] * 5000), time.process_time()
    assert len(near_duplicates(images, training(5000)).copies) == 4999  # of 12 million pairs
    assert time.process_time() - start < 5
