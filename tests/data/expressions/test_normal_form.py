"""Simplification: known results, the same value everywhere, and nothing left to do."""

import pytest
from helpers.expressions import EXPRESSIONS, has_constant_on_cut, or_none, same_value
from hypothesis import given, settings

from caudex.core.errors import CaudexError
from caudex.data.expressions.normal_form import simplify
from caudex.data.expressions.parsing import parse_expression
from caudex.data.expressions.printing import to_infix


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("2x + 3x^2 - x", "x + 3*x**2"),
        ("(x+1)/(2x+2)", "1/2"),
        ("sqrt(x)^2", "x"),
        ("sqrt(x^2)", "sqrt(x**2)"),
        ("sqrt(4x)", "2*sqrt(x)"),
        ("sqrt(-x)*sqrt(-x)", "-x"),
        ("sqrt(12)*sqrt(2)", "2*sqrt(6)"),
        ("8^(2/3)", "4"),
        ("(-8)^(1/3)", "(-8)**(1/3)"),
        ("exp(2*ln(x)+x)", "x**2*exp(x)"),
        ("ln(exp(x))", "ln(exp(x))"),
        ("e^x*e^(-x)", "1"),
        ("sin(-x)/cos(-x)", "-sin(x)/cos(x)"),
        ("asin(sin(x))", "asin(sin(x))"),
        ("sin(asin(x))", "x"),
        ("cosh(0) + ln(1)", "1"),
        ("x^(1/2)*x^(1/3)", "x**(5/6)"),
        ("0*ln(x)", "0"),
    ],
)
def test_known_results(text, simple):
    assert to_infix(simplify(parse_expression(text))) == simple


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_the_value_stays_and_nothing_is_left_to_do(tree):
    if (simple := or_none(simplify, tree)) is None:
        return
    assert has_constant_on_cut(simple) or same_value(tree, simple)
    assert simplify(simple) == simple


@pytest.mark.parametrize("tree", [("div", 1, ("sub", "x", "x")), ("ln", 0), ("pow", 2, 3_000), ("pow", 0, -1)])
def test_what_has_no_value_or_an_enormous_one_is_refused(tree):
    with pytest.raises(CaudexError, match=r"divides by zero|logarithm of zero|2000 bits"):
        simplify(tree)
