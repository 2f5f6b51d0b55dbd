"""Read an expression in x from what a person types or a computer algebra system prints: infix or LaTeX.

The grammar is our own and knows numbers, x, e, pi, operators and functions, and nothing else: no text is ever evaluated as code.

    sum      = ["+" | "-"] product {("+" | "-") product}
    product  = factor {["*" | "/"] factor}                   a missing sign multiplies; 1/2x is (1/2)*x
    factor   = ["-"] operand ["^" factor]
    operand  = number | x | e | pi | "(" sum ")" | function ["^" factor] argument | \\frac{sum}{sum} | \\sqrt[number]{sum}
    argument = "(" sum ")" | product without signs or functions    sin 2x is sin(2*x), \\sin x \\cos x is sin(x)*cos(x)
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple, NoReturn

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.data.expressions.evaluation import evaluate
from caudex.data.expressions.trees import (
    CONSTANTS,
    FUNCTIONS,
    MAX_DEPTH,
    VARIABLE,
    Expression,
    contains_variable,
    subexpressions,
    tree_depth,
)

MAX_CHARACTERS = 2_000
MAX_EXPONENT = 100
MAX_NUMBER = 1e15
"""in size, of numbers and of what is computed of numbers alone"""
MAX_NESTING = 40
"""of parentheses, functions and exponents"""
ALIASES = {"log": "ln", "arcsin": "asin", "arccos": "acos", "arctan": "atan"} | {
    f"{prefix}{name}": f"a{name}" for prefix in ("arc", "ar") for name in ("sinh", "cosh", "tanh")
}
NAMES = {*FUNCTIONS, *CONSTANTS, *ALIASES, VARIABLE}
INVERSES = {"sin": "asin", "cos": "acos", "tan": "atan", "sinh": "asinh", "cosh": "acosh", "tanh": "atanh"}
"""what sin^{-1} is"""
CLOSING = {"(": ")", "{": "}", "[": "]"}
INFIX = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|(?!\d)([^\W_]\w*|_\w*)|(\*\*|[-+*/^(){}]))", re.ASCII)
LATEX = re.compile(
    r"(?:\s|~|\\[,;:! ]|\\quad|\\q?quad|\\(?:left|right|displaystyle|limits)(?![a-zA-Z]))*"
    r"(?:(\d+\.?\d*|\.\d+)|(\\?d(?:\s|\\,)*x(?![a-zA-Z])|\\(?:mathrm|text|operatorname\*?)\{[a-zA-Z]+\}|\\[a-zA-Z]+|[a-zA-Z])|([-+*/^_(){}[\]]))",
    re.ASCII,
)
LATEX_SIGNS = {"cdot": "*", "times": "*", "div": "/"}


class Token(NamedTuple):
    kind: str  # number, name, sign, end
    text: str
    place: int


def parse_expression(text: str, max_characters: int = MAX_CHARACTERS) -> Expression:
    """An expression from infix (`x*cos(x**2)`) or LaTeX (`\\int x \\cos x^2 dx`, the integral sign may be missing).

    Raises CaudexError with the place for what is not in the grammar, too long, too deep, or has numbers that are too large.
    """
    if len(text) > max_characters:
        raise CaudexError(f"the expression has {len(text):,} characters; at most {max_characters:,} are read.")
    if not text.strip():
        raise CaudexError("the expression is empty; write one in x, such as 'x*cos(x**2)'.")
    if re.search(r"\by\s*'|=|\\frac\{d(\^\{?2\}?)?\s*y", text):
        raise CaudexError(
            f"{shorten_text(text)} is an equation; differential equations are not solved yet: give an integrand in x."
        )
    expression = Parser(text, latex="\\" in text).parse()
    check_bounds(expression)
    return expression


def check_bounds(expression: Expression) -> None:
    """Raises CaudexError for an expression with a division by zero, enormous numbers or exponents, or too much nesting."""
    if tree_depth(expression) > MAX_DEPTH:
        raise CaudexError(f"the expression has more than {MAX_DEPTH} operators one below the other; shorten it.")
    for node in subexpressions(expression):
        if isinstance(node, tuple) and node[0] == "pow" and not contains_variable(node[2]):
            check_constant(
                node[2], MAX_EXPONENT, f"an exponent is too large: between -{MAX_EXPONENT} and {MAX_EXPONENT} are read."
            )
        if not contains_variable(node):
            check_constant(
                node, MAX_NUMBER, f"a number in it is not finite or above {MAX_NUMBER:.0e}; does it divide by zero?"
            )


def check_constant(expression: Expression, bound: float, message: str) -> None:
    value = abs(evaluate(expression, np.zeros(1))[0])
    if not value <= bound:
        raise CaudexError(message)


def shorten_text(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def negate(expression: Expression) -> Expression:
    """-2 of 2, -2*x of 2*x, and (-1)*x of x: the minus goes to the first number of a product."""
    if isinstance(expression, int):
        return -expression
    if isinstance(expression, tuple) and expression[0] in ("mul", "div"):
        leftmost = expression
        while isinstance(leftmost, tuple) and leftmost[0] in ("mul", "div"):
            leftmost = leftmost[1]
        if isinstance(leftmost, int):
            return (expression[0], negate(expression[1]), expression[2])
    return ("mul", -1, expression)


class Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, latex: bool):
        self.text, self.latex, self.index, self.nesting = text, latex, 0, 0
        self.tokens = read_latex(text) if latex else read_infix(text)
        self.integral = False

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def parse(self) -> Expression:
        if self.token == ("name", "int", self.token.place):
            self.index, self.integral = 1, True
            if self.is_sign("_") or self.is_sign("^"):
                self.fail("bounds of an integral are not read; give the indefinite one")
            differentials = sum(token.text == "dx" for token in self.tokens)
            if differentials != 1:
                self.fail(f"an integral has dx once, not {differentials} times")
        expression = self.sum()
        if self.token.kind != "end":
            self.fail("a closing parenthesis has no opening one" if self.token.text in ")}]" else "not expected here")
        return expression

    def fail(self, reason: str) -> NoReturn:
        name = "the end" if self.token.kind == "end" else repr(self.token.text[:30])
        end = "" if reason.endswith("?") else "."
        place = f"{shorten_text(self.text)} cannot be read at character {self.token.place + 1}, {name}"
        raise CaudexError(f"{place}: {reason}{end}")

    def is_sign(self, signs: str) -> bool:
        return self.token.kind == "sign" and self.token.text in signs

    def take(self) -> str:
        self.index += 1
        return self.tokens[self.index - 1].text

    def expect(self, sign: str) -> None:
        if not self.is_sign(sign):
            self.fail(f"{sign!r} is missing")
        self.index += 1

    def sum(self) -> Expression:
        total = self.signed_product()
        while self.is_sign("+-"):
            total = ("add" if self.take() == "+" else "sub", total, self.product())
        return total

    def signed_product(self) -> Expression:
        minus = False
        while self.is_sign("+-"):
            minus ^= self.take() == "-"
        product = self.product()
        return negate(product) if minus else product

    def product(self) -> Expression:
        product = self.factor()
        while self.is_sign("*/") or self.starts_operand():
            divide = self.is_sign("*/") and self.take() == "/"
            if divide:
                product = ("div", product, self.factor())
            elif self.is_differential():
                self.index += 1  # of an integral: a factor of 1
            else:
                product = ("mul", product, self.factor())
        return product

    def starts_operand(self) -> bool:
        return self.token.kind in ("number", "name") or self.is_sign("({")

    def is_differential(self) -> bool:
        return self.integral and self.token.text == "dx"

    def factor(self) -> Expression:
        minus = False
        while self.is_sign("+-"):
            minus ^= self.take() == "-"
        base = self.operand()
        if self.is_sign("^"):
            base = self.power(base, self.exponent())
        return negate(base) if minus else base

    def exponent(self) -> Expression:
        self.index += 1
        if self.latex and self.token.kind == "number" and len(self.token.text) > 1:
            self.fail(f"TeX raises only its first digit; write ^{{{self.token.text}}}")
        return self.nested(self.factor)

    def power(self, base: Expression, exponent: Expression) -> Expression:
        return ("exp", exponent) if base == "e" else ("pow", base, exponent)

    def nested(self, part):
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"parentheses, functions and exponents nest deeper than {MAX_NESTING}")
        value = part()
        self.nesting -= 1
        return value

    def operand(self) -> Expression:
        kind, text, _ = self.token
        if kind == "number":
            return self.number()
        if self.is_sign("({"):
            return self.group()
        if kind != "name":
            self.fail("an operand is missing")
        if self.is_differential():
            self.index += 1
            return 1
        if self.latex and text == "frac":
            self.index += 1
            return ("div", self.group("{"), self.group("{"))
        if self.latex and text == "sqrt":
            return self.root()
        name = ALIASES.get(text, text)
        if name not in NAMES:
            guess = did_you_mean(name, NAMES) if len(name) > 2 else ""
            self.fail(f"it is none of x, {', '.join((*CONSTANTS, *FUNCTIONS))}{guess and '.'}{guess}")
        self.index += 1
        return self.function(name) if name in FUNCTIONS else name

    def number(self) -> Expression:
        text = self.token.text
        if len(text) > 30:
            self.fail("a number of more than 30 digits")
        self.index += 1
        value = Fraction(text if text[-1] != "." else text[:-1])
        return value.numerator if value.denominator == 1 else ("div", value.numerator, value.denominator)

    def group(self, opening: str = "({") -> Expression:
        if not self.is_sign(opening):
            if (opening == "{" and self.token.kind == "number") or self.token.text == VARIABLE:
                return self.operand()  # \frac1x
            self.fail(f"{opening[0]!r} is missing")
        closing = CLOSING[self.take()]
        value = self.nested(self.sum)
        self.expect(closing)
        return value

    def root(self) -> Expression:
        self.index += 1
        degree = 2
        if self.is_sign("["):
            self.index += 1
            degree = self.number() if self.token.kind == "number" else self.fail("a number is missing")
            self.expect("]")
        value = self.group()
        return ("sqrt", value) if degree == 2 else ("pow", value, ("div", 1, degree))

    def function(self, name: str) -> Expression:
        exponent = self.exponent() if self.is_sign("^") else None
        if exponent == -1:
            if name not in INVERSES:
                self.fail(f"{name}^-1 is no function here; write 1/{name}(...)")
            name, exponent = INVERSES[name], None
        value = (name, self.group() if self.is_sign("({") else self.nested(self.argument))
        return value if exponent is None else ("pow", value, exponent)

    def argument(self) -> Expression:
        """Behind a function without parentheses: a product without signs that ends before a parenthesis or the next function."""
        product = self.factor()
        while self.token.kind == "number" or self.token.text in (VARIABLE, *CONSTANTS):
            product = ("mul", product, self.factor())
        return product


def read_infix(text: str) -> list[Token]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        if not (match := INFIX.match(text, place)):
            while text[place].isspace():
                place += 1
            raise CaudexError(
                f"{shorten_text(text)} cannot be read at character {place + 1}, {text[place]!r}: no such sign here."
            )
        number, name, sign = match.groups()
        kind = "number" if number else "name" if name else "sign"
        tokens.append(Token(kind, "^" if sign == "**" else number or name or sign, match.start(match.lastindex)))
        place = match.end()
    return [*tokens, Token("end", "", len(text))]


def read_latex(text: str) -> list[Token]:
    """Tokens with the names of our own: \\arctan is atan, \\cdot a sign; dx is one name."""
    tokens, place = [], 0
    text = re.sub(r"^\s*\$+|\$+\s*$|^\s*\\[(\[]|\\[)\]]\s*$", "", text).rstrip()
    text = re.sub(r"\\mathrm\{d\}", "d", text)
    text = re.sub(r"(?:\\[,;:! ]|\\right|\s)*$", "", text)
    while place < len(text):
        if not (match := LATEX.match(text, place)):
            raise CaudexError(f"{shorten_text(text)} cannot be read at character {place + 1}: no such LaTeX here.")
        number, name, sign = match.groups()
        start, place = match.start(match.lastindex), match.end()
        if number and tokens and tokens[-1].text == "frac" and len(number) > 1:  # \frac12
            number, place = number[0], start + 1
        if name:
            name = re.sub(r"^\\?(?:mathrm|text|operatorname\*?)?\{?(.*?)\}?$", r"\1", name)
            name = "dx" if re.fullmatch(r"d(\s|\\,)*x", name) else {"dfrac": "frac", "tfrac": "frac"}.get(name, name)
            sign, name = LATEX_SIGNS.get(name), None if name in LATEX_SIGNS else name
        tokens.append(Token("number" if number else "name" if name else "sign", number or name or sign, start))
    return [*tokens, Token("end", "", len(text))]
