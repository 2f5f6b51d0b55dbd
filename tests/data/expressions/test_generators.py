"""Random trees and the pairs made of them."""

import random
from collections import Counter
from itertools import islice

import pytest
from helpers.expressions import same_value

from caudex.core.errors import CaudexError
from caudex.data.expressions.derivatives import derivative
from caudex.data.expressions.generators import GENERATORS, PairSettings, generate_pairs
from caudex.data.expressions.normal_form import simplify
from caudex.data.expressions.random_trees import count_trees, sample_shape, sample_tree
from caudex.data.expressions.trees import count_operators, to_prefix


def all_forests(empty: int, operators: int) -> list[tuple]:
    """Every way to fill the nodes, by listing all trees."""
    if empty == 0:
        return [()] if operators == 0 else []
    return [
        (tree, *rest)
        for used in range(operators + 1)
        for tree in all_trees(used)
        for rest in all_forests(empty - 1, operators - used)
    ]


def all_trees(operators: int) -> list[tuple]:
    if operators == 0:
        return [()]
    return [forest for arity in (1, 2) for forest in all_forests(arity, operators - 1)]


def arities(tree: tuple) -> list[int]:
    return [len(tree), *(arity for operand in tree for arity in arities(operand))]


@pytest.mark.parametrize("empty", [1, 2, 3])
@pytest.mark.parametrize("operators", [0, 1, 2, 3, 4])
def test_counts_are_those_of_all_trees_listed(empty, operators):
    forests = all_forests(empty, operators)
    assert len(set(forests)) == len(forests) == count_trees(empty, operators)
    kinds = [Counter(arity for tree in forest for arity in arities(tree)) for forest in forests]
    assert count_trees(empty, operators, 2, 3, 4) == sum(2 ** c[0] * 3 ** c[1] * 4 ** c[2] for c in kinds)


def test_schroeder_numbers():
    assert [count_trees(1, operators) for operators in range(7)] == [1, 2, 6, 22, 90, 394, 1806]


def test_every_shape_is_as_likely_as_any_other():
    generator, draws = random.Random(1), 22 * 400
    counts = Counter(tuple(sample_shape(generator, 3)) for _ in range(draws))
    assert set(counts) == {tuple(arities(tree)) for tree in all_trees(3)}
    chi_square = sum((count - 400) ** 2 / 400 for count in counts.values())
    assert chi_square < 46.8  # 21 degrees of freedom, p = 0.001


def test_a_tree_has_as_many_operators_as_drawn():
    generator = random.Random(2)
    assert all(count_operators(sample_tree(generator, n)) == n for n in range(8) for _ in range(20))


@pytest.mark.parametrize(("kind", "count"), [("bwd", 300), ("ibp", 60)])
def test_antiderivatives_are_right_different_and_the_same_for_a_seed(kind, count):
    pairs = list(islice(generate_pairs(kind, "train", 5), count))
    assert pairs == list(islice(generate_pairs(kind, "train", 5), count))
    assert pairs != list(islice(generate_pairs(kind, "train", 6), count))
    assert len({pair.integrand for pair in pairs}) == count
    assert all(same_value(derivative(pair.antiderivative), pair.integrand) for pair in pairs)
    assert all(len(to_prefix(expression)) <= 64 for pair in pairs for expression in pair)


def test_no_input_is_in_both_parts_not_even_a_multiple():
    settings = PairSettings(max_operators=4)

    def multiples(part):
        pairs = [
            pair
            for kind in ("bwd", "ibp")
            for pair in islice(generate_pairs(kind, part, 0, settings), 5 if kind == "bwd" else 2)
        ]
        return {simplify(("mul", number, integrand)) for integrand, _ in pairs for number in (1, 2, 3)}

    assert not multiples("train") & multiples("test")


def test_sympy_integrates_what_is_drawn_forward():
    pairs = list(islice(generate_pairs("fwd", "train", 0, PairSettings(max_operators=2, seconds=2)), 2))
    assert all(same_value(derivative(pair.antiderivative), pair.integrand) for pair in pairs)


def test_what_cannot_be_is_refused():
    with pytest.raises(CaudexError, match="'ode3' is no generator of pairs; take one of bwd, ibp, fwd"):
        next(generate_pairs("ode3", "train", 0))
    with pytest.raises(CaudexError, match="max-operators 0 is out of range"):
        next(generate_pairs("bwd", "train", 0, PairSettings(max_operators=0)))
    assert list(GENERATORS) == ["bwd", "ibp", "fwd"]
