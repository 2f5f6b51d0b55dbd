"""Expressions to and from SymPy, object by object: SymPy never reads a text."""

from __future__ import annotations

import contextlib

from caudex.core.errors import CaudexError
from caudex.data.expressions.evaluation import ARITHMETIC, fold_expression
from caudex.data.expressions.trees import FUNCTIONS, VARIABLE, Expression

RECIPROCALS = {"sec": "cos", "csc": "sin", "cot": "tan", "sech": "cosh", "csch": "sinh", "coth": "tanh"}


def import_sympy():
    """SymPy; CaudexError where it is missing."""
    try:
        import sympy
    except ModuleNotFoundError as error:
        raise CaudexError(f"this needs the package {error.name}: pip install 'caudex[symbolic]'.") from None
    return sympy


def to_sympy(expression: Expression):
    sympy = import_sympy()
    leaves = {VARIABLE: sympy.Symbol(VARIABLE), "e": sympy.E, "pi": sympy.pi}
    functions = {name: getattr(sympy, name) for name in FUNCTIONS}
    return fold_expression(
        expression,
        lambda value: sympy.Integer(value) if isinstance(value, int) else leaves[value],
        ARITHMETIC | functions,
    )


def from_sympy(value) -> Expression:
    """The inverse of `to_sympy`; raises CaudexError for what our expressions do not have, such as erf, I or a Piecewise."""
    if value.is_Integer:
        return int(value)
    if value.is_Rational:
        return ("div", int(value.p), int(value.q))
    name = {"log": "ln", "Exp1": "e", "Pi": "pi"}.get(type(value).__name__, type(value).__name__)
    if value.is_Symbol and value.name == VARIABLE:
        return VARIABLE
    if name in ("e", "pi"):
        return name
    operands = [from_sympy(operand) for operand in value.args] if value.args else []
    if name in ("Add", "Mul"):
        tree = operands[0]
        for operand in operands[1:]:
            tree = (name.lower(), tree, operand)
        return tree
    if name == "Pow":
        return ("exp", operands[1]) if operands[0] == "e" else ("pow", *operands)
    if name in FUNCTIONS and len(operands) == 1:
        return (name, operands[0])
    if name in RECIPROCALS:
        return ("div", 1, (RECIPROCALS[name], operands[0]))
    raise CaudexError(f"{name[:60]} is no part of our expressions.")


def integrate_by_sympy(integrand: Expression) -> list[Expression]:
    """What SymPy gives as antiderivatives, each branch of a Piecewise; those alone that our expressions have. It may take for ever."""
    sympy = import_sympy()
    result = sympy.integrate(to_sympy(integrand), sympy.Symbol(VARIABLE))
    branches = [part for part, _ in result.args] if isinstance(result, sympy.Piecewise) else [result]
    answers = []
    for branch in branches:
        with contextlib.suppress(CaudexError):
            answers.append(from_sympy(branch))
    return answers
