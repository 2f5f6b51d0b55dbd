"""Random expressions, uniform over the shapes of unary-binary trees (Lample and Charton 2019, appendix C).

Drawing each node's operator from the root downwards would prefer deep trees to broad ones, and those that lean left. Instead, the number
of trees that can still grow says how likely the next operator is here or there.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import accumulate

from caudex.data.expressions.trees import VARIABLE, Expression

BINARY_WEIGHTS = {"add": 10, "sub": 3, "mul": 10, "div": 5}
UNARY_WEIGHTS = {"sqrt": 4, "pow2": 4, "pow3": 2, "exp": 4, "ln": 4, "sin": 4, "cos": 4, "tan": 4, "atan": 1}
"""pow2 and pow3 are powers: ("pow", u, 2)"""
VARIABLE_SHARE = 0.75
"""of leaves; the others are integers from 1"""
BINARY_NAMES, BINARY_TOTALS = list(BINARY_WEIGHTS), list(accumulate(BINARY_WEIGHTS.values()))
UNARY_NAMES, UNARY_TOTALS = list(UNARY_WEIGHTS), list(accumulate(UNARY_WEIGHTS.values()))


@cache
def count_trees(empty: int, operators: int, leaves: int = 1, unary: int = 1, binary: int = 1) -> int:
    """How many ways there are to fill `empty` nodes with trees of so many operators in all, by the kinds of leaves and operators:

    D(0, n) = 0,  D(e, 0) = L**e,  D(e, n) = L D(e-1, n) + p1 D(e, n-1) + p2 D(e+1, n-1).
    """
    if operators == 0:
        return leaves**empty
    if empty == 0:
        return 0
    kinds = (leaves, unary, binary)
    return (
        leaves * count_trees(empty - 1, operators, *kinds)
        + unary * count_trees(empty, operators - 1, *kinds)
        + binary * count_trees(empty + 1, operators - 1, *kinds)
    )


@cache
def next_choices(empty: int, operators: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Where the next operator can stand, as (leaves before it, its arity), and cumulated counts of the trees of each."""
    choices = [(skipped, arity) for skipped in range(empty) for arity in (1, 2)]
    counts = [count_trees(empty - skipped - 1 + arity, operators - 1) for skipped, arity in choices]
    return choices, list(accumulate(counts))


def sample_shape(generator: random.Random, operators: int) -> list[int]:
    """Arities in prefix order, 0 for a leaf, of a tree that is uniform among those with so many operators."""
    arities: list[int] = []
    empty = 1
    for remaining in range(operators, 0, -1):
        choices, totals = next_choices(empty, remaining)
        skipped, arity = generator.choices(choices, cum_weights=totals)[0]
        arities += [0] * skipped + [arity]
        empty += arity - 1 - skipped
    return arities + [0] * empty


def sample_tree(generator: random.Random, operators: int, max_integer: int = 5) -> Expression:
    """A random expression with so many operators; it may have no x."""
    stack: list[Expression] = []
    for arity in reversed(sample_shape(generator, operators)):
        if arity == 0:
            stack.append(VARIABLE if generator.random() < VARIABLE_SHARE else generator.randint(1, max_integer))
        elif arity == 1:
            name = generator.choices(UNARY_NAMES, cum_weights=UNARY_TOTALS)[0]
            operand = stack.pop()
            stack.append(("pow", operand, int(name[3:])) if name in ("pow2", "pow3") else (name, operand))
        else:
            name = generator.choices(BINARY_NAMES, cum_weights=BINARY_TOTALS)[0]
            stack.append((name, stack.pop(), stack.pop()))
    return stack[0]
