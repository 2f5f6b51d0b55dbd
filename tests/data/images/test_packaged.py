"""The packaged photographs."""

from caudex import data


def test_the_photographs_patches_are_in_colour_and_the_test_is_another_part():
    split = data.load_images("patches", need_labels=False)
    assert split.train.shape == (3, 32, 32) and split.test.classes == ("china", "flower")
    assert not set(split.train.hashes()) & set(split.test.hashes())
    images = split.test.fetch(slice(None)).float()
    assert (images.amax(1) - images.amin(1)).mean() > 20
