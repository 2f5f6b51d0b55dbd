"""Simplification: like terms and like powers collected, numbers computed, parts in one order. Nothing is expanded.

A normal form is a number (int or Fraction), a symbol, a tuple (function, argument), a sum ("sum", ((term, coefficient), ...)) with
the constant at the term 1, or a product ("product", ((base, exponent), ...)) without a coefficient; 2*x is the sum of one term. All
rules hold for complex numbers on principal branches, but for points where a removed part was not defined: x/x is 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

from caudex.core.errors import CaudexError
from caudex.data.expressions.trees import VARIABLE, Expression

Normal = int | Fraction | str | tuple
NUMBER = (int, Fraction)
HALF = Fraction(1, 2)
MAX_BITS = 2_000
"""of a number that a simplification computes"""
MAX_PRIME = 1_000
ODD = {"sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh"}
EVEN = {"cos", "cosh"}
SPECIAL_VALUES = {("cos", 0): 1, ("cosh", 0): 1, ("exp", 0): 1, ("ln", 1): 0, ("acosh", 1): 0, ("acos", 1): 0} | {
    (name, 0): 0 for name in ODD
}
INVERTED = {
    "asin": "sin",
    "acos": "cos",
    "atan": "tan",
    "sinh": "asinh",
    "asinh": "sinh",
    "acosh": "cosh",
    "atanh": "tanh",
}
"""outer function by the inner that it undoes on all branches: sin(asin(u)) is u"""


def simplify(expression: Expression) -> Expression:
    """An equal expression in normal form; raises CaudexError where it divides by zero or has enormous numbers."""
    return from_normal(to_normal(expression))


def to_normal(expression: Expression) -> Normal:
    if isinstance(expression, int):
        return expression
    if isinstance(expression, str):
        return ("exp", 1) if expression == "e" else expression
    name, *operands = expression
    parts = [to_normal(operand) for operand in operands]
    if name in ("add", "sub"):
        return make_sum([(parts[0], 1), (parts[1], 1 if name == "add" else -1)])
    if name in ("mul", "div"):
        return make_product([(parts[0], 1), (parts[1], 1 if name == "mul" else -1)])
    if name == "pow":
        return make_product([(parts[0], parts[1])])
    return apply_function(name, parts[0])


@lru_cache(maxsize=200_000)
def sort_key(normal: Normal) -> str:
    return repr(normal)


def tidy(number: int | Fraction) -> int | Fraction:
    """A Fraction that is whole as int: the two have the same hash, but not the same text."""
    if type(number) is Fraction and number.denominator == 1:
        return number.numerator
    return number


def make_sum(parts: Iterable[tuple[Normal, int | Fraction]]) -> Normal:
    """The sum of coefficient * part."""
    terms: dict[Normal, int | Fraction] = {}
    for part, coefficient in parts:
        if type(part) is int or type(part) is Fraction:
            terms[1] = terms.get(1, 0) + part * coefficient
        elif type(part) is tuple and part[0] == "sum":
            for term, inner in part[1]:
                terms[term] = terms.get(term, 0) + inner * coefficient
        else:
            terms[part] = terms.get(part, 0) + coefficient
    items = [(term, tidy(coefficient)) for term, coefficient in terms.items() if coefficient]
    if not items:
        return 0
    if len(items) == 1:
        term, coefficient = items[0]
        if term == 1:
            return coefficient
        if coefficient == 1:
            return term
    else:
        items.sort(key=lambda item: (item[0] == 1, sort_key(item[0])))
    return ("sum", tuple(items))


def split_coefficient(normal: Normal) -> tuple[int | Fraction, Normal]:
    """Coefficient and the rest: the common content of a sum, whose first term is then positive."""
    if isinstance(normal, NUMBER):
        return normal, 1
    if normal[0] != "sum":
        return 1, normal
    numbers = [coefficient for _, coefficient in normal[1]]
    content = Fraction(
        math.gcd(*(number.numerator for number in numbers)), math.lcm(*(number.denominator for number in numbers))
    )
    content = tidy(content if numbers[0] > 0 else -content)
    return (
        (1, normal)
        if content == 1
        else (content, make_sum([(normal, Fraction(1, content) if type(content) is int else 1 / content)]))
    )


def make_product(factors: Iterable[tuple[Normal, Normal]]) -> Normal:
    """The product of base ** exponent."""
    coefficient: int | Fraction = 1
    powers: dict[Normal, Normal] = {}
    exponents: list[tuple[Normal, int | Fraction]] = []  # of exp
    stack = list(factors)
    while stack or exponents:
        if not stack:
            factor, exponents = apply_function("exp", make_sum(exponents)), []
            if type(factor) is tuple and factor[0] == "exp":
                merge_exponential(powers, factor)
            else:
                stack.append((factor, 1))
            continue
        base, exponent = stack.pop()
        whole = type(exponent) is int
        if exponent == 0 or base == 1:
            continue
        if type(base) is tuple and base[0] == "product" and whole:
            stack += [(inner, make_sum([(power, exponent)])) for inner, power in base[1]]
        elif type(base) is tuple and base[0] == "exp" and whole:
            exponents.append((base[1], exponent))
        elif (
            type(base) is tuple and base[0] == "exp" and isinstance(base[1], NUMBER)
        ):  # of a positive number: e**u is exp(u)
            exponents.append((exponent, base[1]))
        elif isinstance(base, NUMBER) and isinstance(exponent, NUMBER):
            number, roots = number_power(base, exponent)
            coefficient *= number
            for root, power in roots:
                merge_power(powers, stack, root, power)
        elif type(base) is tuple and base[0] == "sum" and isinstance(exponent, NUMBER):
            content, rest = split_coefficient(base)
            if content != 1 and (whole or content > 0):
                stack += [(content, exponent), (rest, exponent)]
            else:
                merge_power(powers, stack, base, exponent)
        else:
            merge_power(powers, stack, base, exponent)
    items = [(base, exponent) for base, exponent in powers.items() if exponent != 0]
    if coefficient == 0 or not items:
        return tidy(coefficient)
    if len(items) == 1 and items[0][1] == 1:
        product = items[0][0]
    else:
        items.sort(key=lambda item: sort_key(item[0]))
        product = ("product", tuple(items))
    return product if coefficient == 1 else make_sum([(product, coefficient)])


def merge_exponential(powers: dict[Normal, Normal], factor: Normal) -> None:
    """exp(a) * exp(b) is exp(a + b)."""
    previous = [base for base, exponent in powers.items() if type(base) is tuple and base[0] == "exp" and exponent == 1]
    total = make_sum([(base[1], 1) for base in (*previous, factor)])
    for base in previous:
        del powers[base]
    powers[("exp", total)] = 1


def merge_power(powers: dict[Normal, Normal], stack: list, base: Normal, exponent: Normal) -> None:
    """u**a * u**b is u**(a + b); where that is whole, the base may have to be taken apart."""
    total = make_sum([(powers.pop(base), 1), (exponent, 1)]) if base in powers else exponent
    apart = isinstance(base, NUMBER) or (type(base) is tuple and base[0] in ("product", "exp"))
    if isinstance(total, NUMBER) and apart and (type(total) is int or not 0 < total < 1) and total != exponent:
        stack.append((base, total))
    elif total != 0:
        powers[base] = total


def number_power(base: int | Fraction, exponent: int | Fraction) -> tuple[int | Fraction, list[tuple[int, Fraction]]]:
    """base ** exponent as a number and roots of primes: 12**(1/2) is 2 * 3**(1/2)."""
    if base == 0:
        if exponent < 0:
            raise CaudexError("the expression divides by zero.")
        return 0, []
    size = max(abs(base.numerator), base.denominator).bit_length()
    if size * abs(exponent) > MAX_BITS:
        raise CaudexError(f"the expression has a number of more than {MAX_BITS} bits.")
    if type(exponent) is int:
        return tidy(Fraction(base) ** exponent) if exponent < 0 else base**exponent, []
    if base < 0:  # (-8)**(1/3) is no real number
        return 1, [(base, exponent)]
    number, roots = Fraction(1), []
    for part, power in ((base.numerator, exponent), (base.denominator, -exponent)):
        for prime, count in prime_factors(part).items():
            whole = math.floor(count * power)
            number *= Fraction(prime) ** whole
            if count * power != whole:
                roots.append((prime, count * power - whole))
    return tidy(number), roots


def prime_factors(number: int) -> dict[int, int]:
    """Prime to how often it divides; what is left by all below MAX_PRIME counts as one."""
    factors: dict[int, int] = {}
    prime = 2
    while prime * prime <= number and prime < MAX_PRIME:
        while number % prime == 0:
            number //= prime
            factors[prime] = factors.get(prime, 0) + 1
        prime += 1
    return factors | ({number: factors.get(number, 0) + 1} if number > 1 else {})


def apply_function(name: str, argument: Normal) -> Normal:
    if name == "sqrt":
        return make_product([(argument, HALF)])
    if isinstance(argument, int) and (name, argument) in SPECIAL_VALUES:
        return SPECIAL_VALUES[name, argument]
    if argument == 0 and name == "ln":
        raise CaudexError("the expression has the logarithm of zero.")
    if (
        type(argument) is tuple
        and INVERTED.get(argument[0]) == name
        and argument[0] in ("asin", "acos", "atan", "asinh", "acosh", "atanh")
    ):
        return argument[1]
    if name == "ln" and type(argument) is tuple and argument[0] == "exp" and isinstance(argument[1], NUMBER):
        return argument[1]
    if name == "exp":
        logarithms, rest = split_logarithms(argument)
        if logarithms:
            return make_product([*logarithms, (("exp", rest), 1)] if rest != 0 else logarithms)
    on_cut = name in ("asin", "atanh") and not has_variable(argument)  # asin(-5) is not -asin(5)
    if (name in ODD or name in EVEN) and not on_cut:
        negative = argument < 0 if isinstance(argument, NUMBER) else argument[0] == "sum" and argument[1][0][1] < 0
        if negative:
            positive = apply_function(name, make_sum([(argument, -1)]))
            return positive if name in EVEN else make_sum([(positive, -1)])
    return (name, argument)


def has_variable(normal: Normal) -> bool:
    return normal == VARIABLE or (type(normal) is tuple and any(map(has_variable, normal)))


def split_logarithms(argument: Normal) -> tuple[list[tuple[Normal, int | Fraction]], Normal]:
    """exp(2*ln(u) + v) is u**2 * exp(v)."""
    if type(argument) is not tuple:
        return [], argument
    terms = argument[1] if argument[0] == "sum" else ((argument, 1),)
    logarithms = [(term[1], coefficient) for term, coefficient in terms if type(term) is tuple and term[0] == "ln"]
    rest = [item for item in terms if not (type(item[0]) is tuple and item[0][0] == "ln")]
    return logarithms, make_sum(rest)


def from_normal(normal: Normal) -> Expression:
    """The tree of a normal form: sums and products from the left, negative exponents as denominators."""
    if isinstance(normal, int):
        return normal
    if isinstance(normal, Fraction):
        return ("div", normal.numerator, normal.denominator)
    if isinstance(normal, str):
        return normal
    if normal[0] == "sum":
        first, *others = sorted(normal[1], key=lambda item: item[1] < 0)  # b - a, not -a + b
        tree = scaled_tree(*first)
        for term, coefficient in others:
            tree = ("sub" if coefficient < 0 else "add", tree, scaled_tree(term, abs(coefficient)))
        return tree
    if normal == ("exp", 1):
        return "e"
    return scaled_tree(normal, 1) if normal[0] == "product" else (normal[0], from_normal(normal[1]))


def scaled_tree(term: Normal, coefficient: int | Fraction) -> Expression:
    """coefficient * term as one fraction."""
    if term == 1:
        return from_normal(tidy(coefficient))
    factors = term[1] if type(term) is tuple and term[0] == "product" else ((term, 1),)
    above, below = [], []
    for base, exponent in join_roots(factors):
        under = isinstance(exponent, NUMBER) and exponent < 0
        (below if under else above).append(power_tree(base, -exponent if under else exponent))
    sign, number = (-1, -coefficient) if coefficient < 0 else (1, coefficient)
    if number.numerator != 1 or not above:
        above.insert(0, sign * number.numerator)
    elif sign < 0:
        above.insert(0, -1)
    if number.denominator != 1:
        below.insert(0, number.denominator)
    if above[0] == -1 and len(above) > 1:  # -x*y / z as the parser reads it: -(x*y/z)
        tree = chain(above[1:])
        return ("mul", -1, ("div", tree, chain(below)) if below else tree)
    tree = chain(above)
    return ("div", tree, chain(below)) if below else tree


def join_roots(factors: Iterable[tuple[Normal, Normal]]) -> list[tuple[Normal, Normal]]:
    """sqrt(2)*sqrt(3) as sqrt(6)."""
    roots: dict[Fraction, int] = {}
    others = []
    for base, exponent in factors:
        if type(base) is int and base > 0 and type(exponent) is Fraction:
            roots[exponent] = roots.get(exponent, 1) * base
        else:
            others.append((base, exponent))
    return [*((base, exponent) for exponent, base in roots.items()), *others]


def chain(factors: list[Expression]) -> Expression:
    tree = factors[0]
    for factor in factors[1:]:
        tree = ("mul", tree, factor)
    return tree


def power_tree(base: Normal, exponent: Normal) -> Expression:
    if exponent == 1:
        return from_normal(base)
    return ("sqrt", from_normal(base)) if exponent == HALF else ("pow", from_normal(base), from_normal(exponent))
