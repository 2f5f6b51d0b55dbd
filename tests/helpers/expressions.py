"""Random expressions for property tests, and points at which they are compared."""

import numpy as np
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.data.expressions.evaluation import evaluate, evaluate_precisely
from caudex.data.expressions.trees import FUNCTIONS, contains_variable, subexpressions

POINTS = np.array([0.71 + 0.32j, -0.58 + 0.77j, 1.13 - 0.44j, -1.31 - 0.27j, 0.24 + 1.9j])
WITH_CUTS = ("ln", "sqrt", "pow", "asin", "acos", "acosh", "atanh")
LEAVES = st.one_of(st.just("x"), st.integers(-12, 12), st.sampled_from(("e", "pi")))
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.tuples(st.sampled_from(("add", "sub", "mul", "div")), below, below),
        st.tuples(st.just("pow"), below, st.one_of(st.integers(-4, 4), st.just(("div", 1, 3)), below)),
        st.tuples(st.sampled_from(FUNCTIONS), below),
    ),
    max_leaves=8,
)


def same_value(first, second) -> bool:
    """Whether two expressions agree to 20 digits where both are finite and of moderate size; True where there is no such point."""
    values = np.stack([evaluate(first, POINTS), evaluate(second, POINTS)])
    usable = np.isfinite(values).all(0) & (np.abs(values) < 1e8).all(0)
    for point in POINTS[usable]:
        try:
            a, b = evaluate_precisely(first, point), evaluate_precisely(second, point)
        except (ArithmeticError, ValueError):
            continue
        if abs(a - b) > 1e-20 * (1 + abs(a)):
            return False
    return True


def has_constant_on_cut(tree) -> bool:
    """Whether a function with a cut along the real line has an argument without x: rounding decides on which side (x*pi)/x lies."""
    return any(
        isinstance(node, tuple) and node[0] in WITH_CUTS and not contains_variable(node[1])
        for node in subexpressions(tree)
    )


def or_none(function, *arguments):
    """What the function returns, or None where it refuses by a CaudexError."""
    try:
        return function(*arguments)
    except CaudexError:
        return None
