"""Expressions in one variable, as trees of plain tuples, and their tokens in prefix order.

A leaf is an integer, "x", "e" or "pi"; an operator with its operands is a tuple: x * cos(x**2) is ("mul", "x", ("cos", ("pow", "x", 2))).
Source: Lample and Charton 2019, section 2 and appendix A; integers are a sign and decimal digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caudex.core.errors import CaudexError

Expression = int | str | tuple
VARIABLE = "x"
CONSTANTS = ("e", "pi")
BINARY = ("add", "sub", "mul", "div", "pow")
FUNCTIONS = (
    "sqrt", "exp", "ln", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
)  # fmt: skip
ARITY = dict.fromkeys(BINARY, 2) | dict.fromkeys(FUNCTIONS, 1)
DIGITS = tuple("0123456789")
TOKENS = ("INT+", "INT-", *DIGITS, VARIABLE, *CONSTANTS, *BINARY, *FUNCTIONS)
"""all that a prefix sequence is made of"""
MAX_DEPTH = 100
"""of a tree that comes from outside; every function on trees recurses"""


def subexpressions(expression: Expression) -> Iterator[Expression]:
    """The expression and all below it, in prefix order, without recursion."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, tuple):
            stack.extend(reversed(node[1:]))


def contains_variable(expression: Expression) -> bool:
    return any(node == VARIABLE for node in subexpressions(expression))


def count_operators(expression: Expression) -> int:
    return sum(isinstance(node, tuple) for node in subexpressions(expression))


def tree_depth(expression: Expression) -> int:
    """1 for a leaf; without recursion."""
    depth, level = 0, [expression]
    while level:
        depth += 1
        level = [operand for node in level if isinstance(node, tuple) for operand in node[1:]]
    return depth


def to_prefix(expression: Expression) -> list[str]:
    """Tokens of an expression: operators before their operands, -12 as INT- 1 2."""
    tokens: list[str] = []
    for node in subexpressions(expression):
        if isinstance(node, int):
            tokens += ["INT-" if node < 0 else "INT+", *str(abs(node))]
        else:
            tokens.append(node[0] if isinstance(node, tuple) else node)
    return tokens


def from_prefix(tokens: Sequence[str]) -> Expression:
    """The inverse of `to_prefix`; raises CaudexError for tokens that are no expression, or nest deeper than MAX_DEPTH."""
    stack: list[Expression] = []
    digits: list[str] = []
    for i in range(len(tokens) - 1, -1, -1):  # from the end, operands stand ready before their operator
        token = tokens[i]
        if token in DIGITS:
            digits.insert(0, token)
            continue
        if token in ("INT+", "INT-"):
            if not 0 < len(digits) <= 100:
                raise CaudexError(f"token {i + 1}, {token}, needs 1 to 100 digits behind it, not {len(digits)}.")
            number = int("".join(digits))
            stack.append(-number if token == "INT-" else number)
            digits = []
            continue
        if digits:
            raise CaudexError(f"token {i + 2}, {digits[0]}, is a digit without INT+ or INT- before it.")
        if token in ARITY:
            if len(stack) < ARITY[token]:
                raise CaudexError(f"token {i + 1}, {token}, needs {ARITY[token]} operands.")
            stack.append((token, *(stack.pop() for _ in range(ARITY[token]))))
        elif token == VARIABLE or token in CONSTANTS:
            stack.append(token)
        else:
            raise CaudexError(f"token {i + 1}, {token!r}, is not among the tokens of expressions: {' '.join(TOKENS)}.")
    if digits or len(stack) != 1:
        raise CaudexError(f"{len(tokens)} tokens are {len(stack)} expressions, not one.")
    if tree_depth(stack[0]) > MAX_DEPTH:
        raise CaudexError(f"the expression nests deeper than {MAX_DEPTH} operators.")
    return stack[0]
