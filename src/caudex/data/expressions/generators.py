"""Pairs of an integrand and its antiderivative, three ways (Lample and Charton 2019, section 4.1).

- `bwd`: draw F, differentiate it.
- `ibp`: draw F and G; where the integral of F' G is known from earlier pairs, that of F G' is F G less it.
- `fwd`: draw f, let SymPy integrate it; so SymPy solves all of these by construction.

Departures from the paper: all expressions are in our normal form, where it simplifies half of them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.killable import CallFailed, KillableWorker
from caudex.core.ranges import check_range
from caudex.core.seeds import derive_seed
from caudex.data.expressions.derivatives import derivative_of_normal
from caudex.data.expressions.evaluation import evaluate
from caudex.data.expressions.normal_form import (
    Normal,
    from_normal,
    has_variable,
    make_product,
    make_sum,
    split_coefficient,
    to_normal,
)
from caudex.data.expressions.random_trees import sample_tree
from caudex.data.expressions.sympy_bridge import integrate_by_sympy
from caudex.data.expressions.trees import Expression, count_operators, to_prefix

TEST_SHARE = 50
"""one input in so many is for tests"""
CHECK_POINTS = np.array([0.4, 1.7, 3.1, -0.8, -2.3, 0.6 + 0.7j])
"""at one of which an integrand must have a value"""


class Pair(NamedTuple):
    integrand: Expression
    antiderivative: Expression


@dataclass(frozen=True)
class PairSettings:
    """What random expressions are like."""

    max_operators: int = 5
    """of what is drawn, from 1, all numbers of operators alike; of ibp half as many in F and in G"""
    max_integer: int = 5
    """the largest integer that is drawn"""
    max_tokens: int = 64
    """of an integrand and of an antiderivative"""
    seconds: float = 5
    """of fwd: for each integral"""

    def check(self) -> None:
        check_range(self, max_operators=(1, 30), max_integer=(1, 1000), max_tokens=(4, 512), seconds=(0.1, 600))


def generate_pairs(kind: str, part: str, seed: int, settings: PairSettings = PairSettings()) -> Iterator[Pair]:
    """Endless different pairs of one kind ("bwd", "ibp", "fwd"), the same for the same seed; of fwd up to what is slow.

    No input is in both parts, "train" and "test", of whatever kind and seed: nor is a multiple of it by a number.
    """
    if kind not in GENERATORS:
        raise CaudexError(f"{kind!r} is no generator of pairs; take one of {', '.join(GENERATORS)}.")
    settings.check()
    generator = random.Random(derive_seed(seed, "expressions", kind, part))
    seen: set[Normal] = set()
    for integrand, antiderivative in GENERATORS[kind](generator, settings):
        if not has_variable(integrand) or integrand in seen:
            continue
        pair = Pair(from_normal(integrand), from_normal(antiderivative))
        if is_test_input(integrand) == (part == "test") and is_usable(pair, settings):
            seen.add(integrand)
            yield pair


def is_test_input(integrand: Normal) -> bool:
    """Whether the integrand, whatever number stands before it, is for tests."""
    text = " ".join(to_prefix(from_normal(split_coefficient(integrand)[1])))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % TEST_SHARE == 0


def is_usable(pair: Pair, settings: PairSettings) -> bool:
    """Not too long, and the integrand has a value somewhere."""
    if any(len(to_prefix(expression)) > settings.max_tokens for expression in pair):
        return False
    return bool(np.isfinite(evaluate(pair.integrand, CHECK_POINTS)).any())


def sample_functions(generator: random.Random, settings: PairSettings) -> Iterator[Normal]:
    """Random functions of x in normal form. Those that simplify to less than half of what was drawn are left out: small
    ones would be drawn again and again."""
    while True:
        operators = generator.randint(1, settings.max_operators)
        try:
            function = to_normal(sample_tree(generator, operators, settings.max_integer))
        except CaudexError:  # it divides by zero
            continue
        if has_variable(function) and count_operators(from_normal(function)) >= operators / 2:
            yield function


def without_constant(function: Normal) -> Normal:
    """The function without the terms that have no x: an antiderivative is one up to a constant."""
    if type(function) is not tuple or function[0] != "sum":
        return function
    return make_sum([item for item in function[1] if has_variable(item[0])])


def backward(generator: random.Random, settings: PairSettings) -> Iterator[tuple[Normal, Normal]]:
    for function in sample_functions(generator, settings):
        antiderivative = without_constant(function)
        try:
            yield derivative_of_normal(antiderivative), antiderivative
        except CaudexError:
            continue


def by_parts(generator: random.Random, settings: PairSettings) -> Iterator[tuple[Normal, Normal]]:
    """Known integrals are kept by their integrand without its coefficient; the shorter of two antiderivatives stays."""
    known_integrals: dict[Normal, Normal] = {}

    def remember(integrand: Normal, antiderivative: Normal) -> None:
        coefficient, rest = split_coefficient(integrand)
        scaled = make_product([(antiderivative, 1), (coefficient, -1)])
        if rest not in known_integrals or len(repr(scaled)) < len(repr(known_integrals[rest])):
            known_integrals[rest] = scaled

    functions = sample_functions(generator, replace(settings, max_operators=max(1, settings.max_operators // 2)))
    while True:
        try:
            pair = [without_constant(next(functions)) for _ in range(2)]
            slopes = [derivative_of_normal(function) for function in pair]
            for function, slope in zip(pair, slopes):
                if has_variable(slope):
                    remember(slope, function)
            for i in (0, 1):  # the integral of F G' = F G - the integral of F' G
                coefficient, rest = split_coefficient(make_product([(slopes[i], 1), (pair[1 - i], 1)]))
                if rest not in known_integrals:
                    continue
                integrand = make_product([(pair[i], 1), (slopes[1 - i], 1)])
                product = make_product([(pair[0], 1), (pair[1], 1)])
                antiderivative = without_constant(make_sum([(product, 1), (known_integrals[rest], -coefficient)]))
                remember(integrand, antiderivative)
                yield integrand, antiderivative
                break
        except CaudexError:
            continue


def forward(generator: random.Random, settings: PairSettings) -> Iterator[tuple[Normal, Normal]]:
    with KillableWorker() as worker:
        for integrand in sample_functions(generator, settings):
            try:
                answers = worker.call(integrate_by_sympy, from_normal(integrand), seconds=settings.seconds)
                if answers:
                    yield integrand, without_constant(to_normal(answers[0]))
            except (CallFailed, CaudexError):  # too slow, or not elementary
                continue


GENERATORS: dict[str, Callable[[random.Random, PairSettings], Iterator[tuple[Normal, Normal]]]] = {
    "bwd": backward, "ibp": by_parts, "fwd": forward,
}  # fmt: skip
