"""Digits drawn with fonts: the same every time, a row of the table is on or off, and the geometry is what the row says."""

import numpy as np
import pytest

from caudex.data import load_images
from caudex.data.images.font_digits import FONTS, LOOKS, load_font_digits, render_digits, sample_looks


def rendered(digit="1", **look):
    looks = sample_looks(1, 0, ()) | {name: np.array([value]) for name, value in look.items()}
    return render_digits(np.array([int(digit)]), looks)[0].astype(float)


def extent(image):
    rows, columns = np.nonzero(image > 100)
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def centre(image):
    rows, columns = np.indices(image.shape)
    return (rows * image).sum() / image.sum(), (columns * image).sum() / image.sum()


def test_the_fixed_look_is_each_digit_in_each_font():
    images = load_font_digits().images
    assert len(images) == 10 * len(FONTS) == 210
    assert images.labels.bincount().tolist() == [21] * 10
    assert len(set(images.hashes())) == 210  # no font lacks a digit, or is another
    pixels = images.fetch(slice(None))
    assert pixels.shape == (210, 1, 28, 28) and pixels.max() == 255
    assert (pixels[:, :, 0] == 0).all()  # nothing is cut off


def test_looks_are_the_same_every_time_and_a_row_that_is_off_leaves_the_others():
    everything, without = sample_looks(50, 3), sample_looks(50, 3, [name for name in LOOKS if name != "shear"])
    for name, look in LOOKS.items():
        assert ((everything[name] >= look.low) & (everything[name] <= look.high)).all()
        assert everything[name].std() > 0
        assert (without[name] == (0 if name == "shear" else everything[name])).all()
    digits = np.arange(50) % 10
    assert (render_digits(digits, everything) == render_digits(digits, everything)).all()
    assert not (render_digits(digits, everything) == render_digits(digits, sample_looks(50, 4))).all()


def test_each_row_does_what_it_says():
    plain = rendered()
    height, _ = extent(plain)
    assert height == pytest.approx(0.7 * 28, abs=1.1)
    assert centre(plain) == pytest.approx((13.5, 13.5), abs=1.5)
    assert extent(rendered(size=0.9))[0] == pytest.approx(0.9 * 28, abs=1.1)
    assert extent(rendered("0", aspect=1.4))[1] > 1.2 * extent(rendered("0"))[1]
    down, across = centre(rendered(down=0.1, across=-0.1))
    assert (down - centre(plain)[0], across - centre(plain)[1]) == pytest.approx((2.8, -2.8), abs=0.3)
    assert extent(rendered(rotation=90))[1] == pytest.approx(height, abs=1.1)
    assert extent(rendered("0", shear=0.4))[1] > extent(rendered("0"))[1] + 2
    assert (rendered(stroke=0.06) > 100).sum() > 1.5 * (plain > 100).sum()
    assert rendered(contrast=0.5).max() == pytest.approx(plain.max() / 2, abs=1)
    assert 0 < rendered(blur=1.2).max() < plain.max()
    assert rendered(noise=0.1)[:3].std() > 5 and plain[:3].std() == 0


def test_it_is_a_packaged_set_of_any_size():
    split = load_images("random-font-digits", size=8, labels_per_class=5)
    assert split.labelled.shape == (1, 8, 8) and len(split.labelled) == 50 and len(split.test) == 1000
