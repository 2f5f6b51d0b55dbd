"""The derivative by x, in normal form throughout, so that it comes out simplified."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from caudex.data.expressions.normal_form import (
    HALF,
    NUMBER,
    Normal,
    apply_function,
    from_normal,
    make_product,
    make_sum,
    to_normal,
)
from caudex.data.expressions.trees import VARIABLE, Expression


def power(base: Normal, exponent: int | Fraction) -> Normal:
    return make_product([(base, exponent)])


def one_plus_square(argument: Normal, sign: int) -> Normal:
    """1 + u**2 or 1 - u**2."""
    return make_sum([(1, 1), (power(argument, 2), sign)])


DERIVATIVES: dict[str, Callable[[Normal], Normal]] = {
    "exp": lambda u: apply_function("exp", u),
    "ln": lambda u: power(u, -1),
    "sin": lambda u: apply_function("cos", u),
    "cos": lambda u: make_sum([(apply_function("sin", u), -1)]),
    "tan": lambda u: one_plus_square(apply_function("tan", u), 1),
    "asin": lambda u: power(one_plus_square(u, -1), -HALF),
    "acos": lambda u: make_sum([(power(one_plus_square(u, -1), -HALF), -1)]),
    "atan": lambda u: power(one_plus_square(u, 1), -1),
    "sinh": lambda u: apply_function("cosh", u),
    "cosh": lambda u: apply_function("sinh", u),
    "tanh": lambda u: one_plus_square(apply_function("tanh", u), -1),
    "asinh": lambda u: power(one_plus_square(u, 1), -HALF),
    # not 1 / sqrt(u**2 - 1), which has the other sign where u is left of 0
    "acosh": lambda u: make_product([(make_sum([(u, 1), (1, -1)]), -HALF), (make_sum([(u, 1), (1, 1)]), -HALF)]),
    "atanh": lambda u: power(one_plus_square(u, -1), -1),
}
"""f'(u) of each function; right on all of the complex plane but the cuts of f"""


def derivative(expression: Expression) -> Expression:
    """The derivative by x, simplified; raises CaudexError as `simplify` does."""
    return from_normal(derivative_of_normal(to_normal(expression)))


def derivative_of_normal(normal: Normal) -> Normal:
    if type(normal) is not tuple:
        return 1 if normal == VARIABLE else 0
    kind = normal[0]
    if kind == "sum":
        return make_sum([(derivative_of_normal(term), coefficient) for term, coefficient in normal[1]])
    if kind != "product":
        inner = derivative_of_normal(normal[1])
        return 0 if inner == 0 else make_product([(DERIVATIVES[kind](normal[1]), 1), (inner, 1)])
    terms = []
    for i, (base, exponent) in enumerate(normal[1]):
        inner = derivative_of_normal(base)
        others = [*normal[1][:i], *normal[1][i + 1 :]]
        if inner != 0:  # the exponent may hold x as well
            terms.append(
                (make_product([*others, (exponent, 1), (base, make_sum([(exponent, 1), (1, -1)])), (inner, 1)]), 1)
            )
        if not isinstance(exponent, NUMBER) and (grown := derivative_of_normal(exponent)) != 0:
            terms.append((make_product([*normal[1], (grown, 1), (apply_function("ln", base), 1)]), 1))
    return make_sum(terms)
