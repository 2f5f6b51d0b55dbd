"""Is F an antiderivative of f? By numbers at complex points to many digits, then symbolically."""

from __future__ import annotations

import random

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.data.expressions.derivatives import derivative
from caudex.data.expressions.evaluation import evaluate, evaluate_precisely
from caudex.data.expressions.normal_form import simplify
from caudex.data.expressions.sympy_bridge import import_sympy, to_sympy
from caudex.data.expressions.trees import Expression

POINTS_A_QUADRANT, MIN_POINTS = 8, 3
"""points that are tried in each quarter of the complex plane, and that must have values there"""
DIGITS, TOLERANCE = 60, 1e-25
"""digits computed with, and the relative difference that is taken for rounding"""
MAX_SIZE = 1e12
"""of values that are compared: what is larger has lost digits"""


def verify_numerically(integrand: Expression, answer: Expression) -> bool:
    """Whether F' is f at complex points off the axes in all four quarters of the plane, to 25 digits.

    No cut of a principal branch of elementary functions of x lies on a random point, and an answer that is right in one half-plane alone
    (x**2/2 for sqrt(x**2)) fails in the other. False also where too few points have values.
    """
    slope = derivative(answer)
    generator = random.Random(derive_seed(0, "points"))
    for real, imaginary in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        points = [
            complex(real * generator.uniform(0.1, 2.5), imaginary * generator.uniform(0.1, 1.5))
            for _ in range(POINTS_A_QUADRANT)
        ]
        values = np.stack([evaluate(part, np.array(points)) for part in (integrand, slope, answer)])
        usable = np.isfinite(values).all(0) & (np.abs(values) < MAX_SIZE).all(0)
        compared = 0
        for point in np.array(points)[usable]:
            try:
                f, g = (evaluate_precisely(part, point, DIGITS) for part in (integrand, slope))
                if not abs(f - g) <= TOLERANCE * abs(f):
                    return False
                compared += 1
            except (ArithmeticError, ValueError):
                continue
        if compared < MIN_POINTS:
            return False
    return True


def verify_symbolically(integrand: Expression, answer: Expression) -> bool:
    """Whether F' - f simplifies to 0, by our normal form or by SymPy; it may take for ever."""
    difference = simplify(("sub", derivative(answer), integrand))
    return difference == 0 or import_sympy().simplify(to_sympy(difference)) == 0


def numerically_verified(integrand: Expression, answer: Expression) -> bool:
    """As `verify_numerically`; an answer that cannot be differentiated or is too large is not verified."""
    try:
        return verify_numerically(integrand, answer)
    except (CaudexError, RecursionError, OverflowError):
        return False
