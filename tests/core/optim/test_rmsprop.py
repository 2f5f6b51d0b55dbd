"""RMSprop, by hand."""

from math import sqrt

import pytest
from helpers.parameters import parameter, step_with_gradients

from caudex.core.optim.rmsprop import RMSprop


def test_rmsprop_divides_by_the_std_of_the_gradient():
    weight, still = parameter(1.0, 2.0), parameter(5.0)
    optimizer = RMSprop([weight, still], lr=0.5, alpha=0.9, eps=0.01, centered=True)
    step_with_gradients(optimizer, weight=[1.0, -2.0], still=None)
    # means 0.1 g, squares 0.1 g^2: the variances are 0.09 g^2
    first = [1 - 0.5 / sqrt(0.09 + 0.01), 2 + 1.0 / sqrt(0.36 + 0.01)]
    assert weight.tolist() == pytest.approx(first) and still.tolist() == [5]
    step_with_gradients(optimizer, weight=[0.0, 1.0], still=None)
    mean, square = 0.9 * -0.2 + 0.1, 0.9 * 0.4 + 0.1
    assert weight.tolist() == pytest.approx([first[0], first[1] - 0.5 / sqrt(square - mean**2 + 0.01)])
