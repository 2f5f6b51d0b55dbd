"""Folders of images as tests need them."""

import numpy as np
import pytest
from PIL import Image

from caudex import data
from caudex.core.errors import CaudexError


def save_image(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_noise_images(root, rng, labelled=None, unlabelled=0, test=None, size=8):
    """photos/labelled/<class>/i.png, photos/unlabelled/i.png, photos/test/<class>/i.png, all different, grey."""
    for part, classes in (("labelled", labelled or {}), ("test", test or {})):
        for name, count in classes.items():
            for i in range(count):
                save_image(root / part / name / f"{i:03}.png", rng.integers(0, 256, (size, size), dtype=np.uint8))
    for i in range(unlabelled):
        save_image(root / "unlabelled" / f"{i:03}.png", rng.integers(0, 256, (size, size), dtype=np.uint8))
    return root


def image_names(images):
    return [images.name(i) for i in range(len(images))]


def assert_loading_refused(words, *given, **options):
    """The sentence with which the given images are refused; it has these words and is one line."""
    with pytest.raises(CaudexError) as caught:
        data.load_images(*map(str, given), **options)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    return sentence
