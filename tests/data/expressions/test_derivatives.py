"""Derivatives: each function against SymPy's, and random expressions at complex points."""

import numpy as np
import pytest
import sympy
from helpers.expressions import EXPRESSIONS, POINTS, has_constant_on_cut, or_none, same_value
from hypothesis import given, settings

from caudex.data.expressions.derivatives import derivative
from caudex.data.expressions.evaluation import evaluate
from caudex.data.expressions.normal_form import simplify
from caudex.data.expressions.parsing import parse_expression
from caudex.data.expressions.sympy_bridge import from_sympy, to_sympy
from caudex.data.expressions.trees import FUNCTIONS


@pytest.mark.parametrize(
    ("text", "slope"),
    [
        ("7", "0"),
        ("x^5", "5*x**4"),
        ("x*sin(x)", "x*cos(x) + sin(x)"),
        ("exp(x^2)", "2*x*exp(x**2)"),
        ("x^x", "x**x*ln(x) + x**x"),
        ("ln(5x)", "1/x"),
        ("x/(x+1) + 1/(x+1)", "1/(x + 1) - x/(x + 1)**2 - 1/(x + 1)**2"),
    ],
)
def test_known_results(text, slope):
    assert derivative(parse_expression(text)) == simplify(parse_expression(slope))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_has_the_slope_of_its_values(name):
    tree, step = (name, ("add", ("pow", "x", 2), "x")), 1e-6
    differences = (evaluate(tree, POINTS + step) - evaluate(tree, POINTS - step)) / (2 * step)
    assert np.allclose(evaluate(derivative(tree), POINTS), differences, rtol=1e-7)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS)
def test_sympy_differentiates_to_the_same_value(tree):
    slope = or_none(derivative, tree)
    if slope is None or has_constant_on_cut(simplify(tree)):
        return
    peer = sympy.diff(to_sympy(tree), sympy.Symbol("x"))
    read = or_none(from_sympy, peer)
    if read is not None and not peer.has(sympy.zoo, sympy.nan):
        assert same_value(slope, read)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS)
def test_trees_come_back_from_sympy_with_their_value(tree):
    read = or_none(from_sympy, to_sympy(tree))
    if read is not None and not has_constant_on_cut(tree):
        assert same_value(tree, read)
