"""Drawings: shapes cover their areas."""

import numpy as np
import pytest

from caudex.envs.control.drawing import Bar, Box, Canvas, Disc


def test_shapes_cover_their_areas_wherever_they_lie():
    white, size = (1.0, 1.0, 1.0), 64
    x = np.array([-0.3, 0.011, 0.2])
    shapes = [Disc(x, 0.1, 0.3, white), Box(x, -0.07, 0.21, 0.33, white), Bar(x, 0, x + 0.3, 0.4, 0.1, white)]
    areas = [np.pi * 0.09, 4 * 0.21 * 0.33, 2 * 0.1 * 0.5 + np.pi * 0.01]
    canvas = Canvas(3, size, 1)
    ground = canvas.render([]).astype(float)
    for shape, area in zip(shapes, areas):
        covered = (canvas.render([shape]) - ground) / (255 - ground)
        assert covered.sum((1, 2, 3)) * (2 / size) ** 2 == pytest.approx([area] * 3, rel=0.01)


def test_colours_and_greys_and_what_is_in_front():
    red, green = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    shapes = [Disc(0, 0, 0.9, red), Disc(0, 0, 0.4, green, np.array([1.0, 0.0]))]
    assert Canvas(2, 9, 3).render(shapes)[:, :, 4, 4].tolist() == [[0, 255, 0], [255, 0, 0]]
    assert Canvas(2, 9, 1).render(shapes)[:, 0, 4, 4].tolist() == [150, 76]
