"""Changed copies are found; other images, and plain ones, are not."""

import numpy as np
import pytest
from helpers.cuts import as_image_set, change, cuts_of_photos

from caudex import data
from caudex.data.images.near_duplicates import near_duplicates


@pytest.mark.parametrize("how", ["compressed", "smaller", "paler"])
def test_changed_copies_are_found_and_nothing_else(how):
    images = [image for image in cuts_of_photos(200, side=64) if image.std() > 45][:40]
    copies = [change(image, how) for image in images]
    pairs = near_duplicates(as_image_set(images + copies, [0] * 80))
    assert sum((i, i + 40) in pairs for i in range(40)) >= 36
    assert all(second - first == 40 for first, second in pairs)


def test_plain_images_are_duplicates_only_where_they_are_equal():
    plain = [np.full((16, 16, 3), grey, dtype=np.uint8) for grey in (0, 7, 7, 200, 7)]
    assert near_duplicates(as_image_set(plain, [0] * 5)) == [(1, 2), (2, 4)]


def test_no_two_digits_are_nearly_equal():
    assert near_duplicates(data.load_images("digits").train) == []
