"""Parts of a set of images copy nothing; some of it are spread evenly."""

import pytest
import torch
from helpers.image_files import image_names
from helpers.probing import image_set
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex import data


@given(some.data())
@settings(max_examples=30, deadline=None)
def test_a_part_of_a_part_is_the_part_and_copies_nothing(draw):
    store = data.InMemoryImages(torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1), [f"p{i}" for i in range(20)])
    all_images = data.ImageSet(
        store, torch.arange(20) % 3, ("a", "b", "c"), {"size": (torch.arange(20) % 2, ("s", "l"))}
    )
    first = draw.draw(some.lists(some.integers(0, 19), min_size=1, max_size=30))
    second = draw.draw(some.lists(some.integers(0, len(first) - 1), max_size=30))
    part = all_images.take(first).take(second)
    truth = [first[i] for i in second]
    assert part.store is store
    assert part.fetch(slice(None)).flatten().tolist() == truth
    assert image_names(part) == [f"p{i}" for i in truth]
    assert part.labels.tolist() == [i % 3 for i in truth]
    assert part.columns["size"][0].tolist() == [i % 2 for i in truth]
    assert (part.in_memory, len(part), part.shape) == (True, len(truth), (1, 1, 1))
    assert part.readable(slice(None)).all()


def test_equal_images_have_equal_hashes():
    pixels = torch.tensor([1, 2, 1], dtype=torch.uint8).view(3, 1, 1, 1)
    one, other, same = data.ImageSet(data.InMemoryImages(pixels, "abc"), torch.zeros(3), ("a",)).hashes()
    assert one == same != other


@pytest.mark.parametrize(("count", "limit"), [(10, 10), (10, 50), (100, 7), (101, 100), (5000, 4999), (60_001, 10_000)])
def test_some_are_spread_evenly_from_the_first_to_the_last(count, limit):
    images = image_set(torch.zeros(count, 1, 1, 1, dtype=torch.uint8), torch.arange(count))
    labels = images.subsample(limit).labels
    assert len(labels) == min(count, limit) and labels[0] == 0 and labels[-1] == count - 1
    gaps = labels.diff()
    assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1


def test_some_of_files_that_lie_class_by_class_are_of_all_classes():
    labels = torch.arange(10).repeat_interleave(100)
    counts = torch.bincount(image_set(torch.zeros(1000, 1, 1, 1, dtype=torch.uint8), labels).subsample(100).labels)
    assert counts.min() >= 9 and counts.max() <= 11
