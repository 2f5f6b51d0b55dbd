"""No wrong answer is accepted, right ones are, and nothing hangs."""

import random
import time
from itertools import islice

import pytest
from helpers.solvers import endless_solver, greedy_solver, lying_solver, right_solver

from caudex.data.expressions.generators import generate_pairs
from caudex.data.expressions.parsing import parse_expression
from caudex.models.solvers.maxima import has_maxima
from caudex.models.solvers.portfolio import NOT_FOUND, NUMERICALLY_VERIFIED, VERIFIED, Portfolio
from caudex.models.solvers.verification import numerically_verified, verify_numerically, verify_symbolically


def wrong_answers(answer):
    """A wrong factor, a wrong sign, another operand, a missing or additional small term."""
    terms = [
        ("mul", 3, answer),
        ("div", answer, 2),
        ("mul", -1, answer),
        ("add", answer, ("div", "x", 10**12)),
        ("sub", answer, "x"),
    ]
    if isinstance(answer, tuple) and answer[0] in ("add", "sub"):
        terms += [answer[1], ("sub" if answer[0] == "add" else "add", *answer[1:])]
    return terms


def test_of_a_thousand_wrong_answers_none_is_accepted():
    pairs = islice(generate_pairs("bwd", "train", 3), 400)
    cases = [(f, wrong) for f, answer in pairs for wrong in wrong_answers(answer) if f != 0]
    sample = random.Random(0).sample(cases, 1000)
    from caudex.data.expressions.normal_form import has_variable, to_normal

    sample = [(f, w) for f, w in sample if has_variable(to_normal(f))]
    assert len(sample) == 1000 and not any(numerically_verified(f, wrong) for f, wrong in sample)


@pytest.mark.parametrize(
    ("integrand", "answer"),
    [
        ("sqrt(x^2)", "x^2/2"),
        ("sqrt(x^2)", "-x^2/2"),
        ("1/sqrt(x^2-1)", "acosh(x)"),
        ("x^(1/2)*x^(1/2)*sqrt(x^2)", "x^3/3"),
        ("ln(x^2)", "2*x*ln(x) - 2*x"),
        ("exp(-x^2)", "0"),
    ],
)
def test_a_wrong_branch_is_not_accepted(integrand, answer):
    assert not numerically_verified(parse_expression(integrand), parse_expression(answer))


@pytest.mark.parametrize(
    ("integrand", "answer"),
    [
        ("sqrt(x^2)", "x*sqrt(x^2)/2"),
        ("1/sqrt(x^2-1)", "ln(x + sqrt(x^2-1))"),
        ("sin(x)^2", "x/2 - sin(2x)/4"),
        ("1/x", "ln(5x)"),
    ],
)
def test_right_answers_are_accepted(integrand, answer):
    assert verify_numerically(parse_expression(integrand), parse_expression(answer))


def test_generated_pairs_are_accepted():
    pairs = list(islice(generate_pairs("bwd", "train", 4), 40))
    assert sum(numerically_verified(*pair) for pair in pairs) >= 36  # the others have too few usable points


def test_proof():
    assert verify_symbolically(parse_expression("sin(x)^2"), parse_expression("x/2 - sin(2x)/4"))
    assert not verify_symbolically(parse_expression("sin(x)^2"), parse_expression("x/2 + sin(2x)/4"))


def test_a_portfolio_survives_solvers_that_lie_hang_and_eat_memory():
    solvers = {"liar": lying_solver, "endless": endless_solver, "greedy": greedy_solver, "right": right_solver}
    with Portfolio(solvers) as portfolio:
        solution = portfolio.solve(parse_expression("x*cos(x**2)"), seconds=8)
    assert solution.status == VERIFIED and solution.solver == "right"
    assert solution.failures["liar"] == "its answer did not pass the check"
    assert "not done after" in solution.failures["endless"] and "of memory" in solution.failures["greedy"]


def test_nothing_is_found_in_time():
    with Portfolio({"endless": endless_solver}) as portfolio:
        start = time.monotonic()
        assert portfolio.solve("x", seconds=1).status == NOT_FOUND
    assert time.monotonic() - start < 30  # of which most is the start of a process


def test_maxima_answers():
    if not has_maxima():
        pytest.fail("maxima is missing: apt-get install -y --no-install-recommends maxima maxima-share", pytrace=False)
    with Portfolio() as portfolio:
        solution = portfolio.solve(parse_expression("1/(x^3+1)"), seconds=20)
    assert solution.solver == "maxima" and solution.status in (VERIFIED, NUMERICALLY_VERIFIED)
