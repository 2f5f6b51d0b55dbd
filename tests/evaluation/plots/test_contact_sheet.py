"""A sheet of an episode."""

import numpy as np

from caudex.evaluation.plots.contact_sheet import contact_sheet


def test_a_sheet_has_images_evenly_spread_in_time():
    images = [np.full((8, 16, 3), i, np.uint8) for i in range(101)]
    sheet = contact_sheet(images, columns=3, rows=2, width=16)
    assert sheet.shape == (16, 48, 3)
    assert [int(sheet[y, x, 0]) for y in (0, 8) for x in (0, 16, 32)] == [0, 20, 40, 60, 80, 100]
    assert contact_sheet(images[:2], columns=3, rows=2, width=16).shape == (8, 48, 3)
