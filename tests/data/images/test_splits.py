"""Draws of few labels, and what is held out: each class in its proportion."""

from helpers.image_files import image_names

from caudex import data


def test_a_draw_of_few_lies_within_the_draw_of_more():
    four, ten = (set(image_names(data.load_images("digits", labels_per_class=n, seed=5).labelled)) for n in (4, 10))
    assert four < ten


def test_all_labels_are_used_by_default():
    split = data.load_images("digits")
    assert (len(split.labelled), len(split.unlabelled)) == (1347, 0)
