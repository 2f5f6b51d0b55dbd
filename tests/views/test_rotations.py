"""Quarter turns are exact."""

import torch
from helpers.images import smooth_images
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex import views
from caudex.views import (  # fmt: skip
    quarter_turns,
)


@given(some.lists(some.integers(-7, 7), min_size=1, max_size=6), some.sampled_from([torch.uint8, torch.float32]))
@settings(max_examples=25, deadline=None)
def test_quarter_turns_are_exact_and_invertible(quarters, dtype):
    quarters = torch.tensor(quarters)
    images = smooth_images(len(quarters)).to(dtype)
    turned = quarter_turns(images, quarters)
    assert turned.dtype == dtype
    for image, quarter, one in zip(images, quarters.tolist(), turned):
        assert torch.equal(one, torch.rot90(image, quarter, (1, 2)))
    assert torch.equal(quarter_turns(turned, -quarters), images)


def test_all_four_rotations_are_labelled_with_their_quarters():
    images = smooth_images(5)
    turned, quarters = views.all_four_rotations(images)
    assert turned.dtype == torch.uint8 and turned.shape == (20, 3, 16, 16)
    assert quarters.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    assert torch.equal(turned, quarter_turns(images.repeat(4, 1, 1, 1), quarters))
