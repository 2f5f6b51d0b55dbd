"""The value of an expression at complex points: by numpy for many, by mpmath for many digits."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from caudex.data.expressions.trees import BINARY, FUNCTIONS, VARIABLE, Expression

ARITHMETIC = dict(zip(BINARY, (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)))
NUMPY_FUNCTIONS = {"ln": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan"} | {
    f"a{name}": f"arc{name}" for name in ("sinh", "cosh", "tanh")
}


def fold_expression(
    expression: Expression, leaf: Callable[[int | str], Any], operators: Mapping[str, Callable[..., Any]]
) -> Any:
    """Replace leaves and operators by what stands for them, from the leaves up."""
    if not isinstance(expression, tuple):
        return leaf(expression)
    operands = [fold_expression(operand, leaf, operators) for operand in expression[1:]]
    return operators[expression[0]](*operands)


def evaluate(expression: Expression, points: np.ndarray) -> np.ndarray:
    """Values at complex points, complex128 [N]; functions have their principal branch.

    A point where any part of the expression is not finite has nan: 1 / exp(exp(exp(9))) is nan, not 0.
    """
    points = np.asarray(points, complex)
    constants = {VARIABLE: points, "e": np.e, "pi": np.pi}

    def leaf(value: int | str) -> np.ndarray:
        try:
            return np.broadcast_to(np.asarray(constants.get(value, value), complex), points.shape)
        except OverflowError:  # an integer beyond all floats
            return np.full(points.shape, complex("nan"))

    with np.errstate(all="ignore"):
        return fold_expression(expression, leaf, FINITE_OPERATORS)


def finite_operator(function: Callable) -> Callable:
    """The function with nan where it is not finite."""

    def apply(*operands: np.ndarray) -> np.ndarray:
        values = function(*operands)
        return np.where(np.isfinite(values), values, complex("nan"))

    return apply


FINITE_OPERATORS = {name: finite_operator(function) for name, function in ARITHMETIC.items()} | {
    name: finite_operator(getattr(np, NUMPY_FUNCTIONS.get(name, name))) for name in FUNCTIONS
}


def evaluate_precisely(expression: Expression, point: complex, digits: int = 60):
    """The value at one complex point, an mpmath number computed with so many digits. Raises ArithmeticError or ValueError at a pole,
    and takes for ever where numbers are enormous: have `evaluate` look first."""
    import mpmath

    with mpmath.workdps(digits):
        constants = {VARIABLE: mpmath.mpc(point), "e": mpmath.e(), "pi": mpmath.pi()}
        functions = {name: getattr(mpmath, name) for name in FUNCTIONS}
        return fold_expression(
            expression,
            lambda value: constants.get(value, mpmath.mpc(value) if isinstance(value, int) else None),
            ARITHMETIC | functions,
        )
