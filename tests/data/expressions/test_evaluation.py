"""Values at complex points."""

import numpy as np
import pytest

from caudex.data.expressions.evaluation import evaluate, evaluate_precisely


def test_principal_branches():
    points = np.array([-4 + 0j, 1j])
    assert evaluate(("sqrt", "x"), points) == pytest.approx([2j, (1 + 1j) / np.sqrt(2)])
    assert evaluate(("ln", "x"), points) == pytest.approx([np.log(4) + np.pi * 1j, np.pi / 2 * 1j])


def test_a_part_that_is_not_finite_is_not_hidden():
    hidden = ("div", 1, ("exp", ("exp", ("exp", "x"))))
    assert np.isnan(evaluate(hidden, np.array([9.0]))).all() and np.isnan(evaluate(("div", "x", 0), np.ones(2))).all()
    assert np.isnan(evaluate(("mul", 10**400, "x"), np.ones(1))).all()


def test_sixty_digits():
    value = evaluate_precisely(("sub", ("add", ("pow", 10, 40), "x"), ("pow", 10, 40)), 0.25 + 1j)
    assert complex(value) == 0.25 + 1j
