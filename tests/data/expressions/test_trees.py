"""Trees and their prefix tokens."""

import pytest
from helpers.expressions import EXPRESSIONS
from hypothesis import given
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.data.expressions.trees import (
    TOKENS,
    contains_variable,
    count_operators,
    from_prefix,
    subexpressions,
    to_prefix,
    tree_depth,
)

TREE = ("mul", ("pow", "x", -12), ("cos", ("div", "pi", 3)))
PREFIX = ["mul", "pow", "x", "INT-", "1", "2", "cos", "div", "pi", "INT+", "3"]


def test_prefix_tokens():
    assert to_prefix(TREE) == PREFIX and from_prefix(PREFIX) == TREE


def test_shape_of_a_tree():
    assert count_operators(TREE) == 4 and tree_depth(TREE) == 4 and len(list(subexpressions(TREE))) == 8
    assert contains_variable(TREE) and not contains_variable(TREE[2])


@given(EXPRESSIONS)
def test_every_tree_comes_back_from_its_tokens(tree):
    assert from_prefix(to_prefix(tree)) == tree


@given(st.lists(st.sampled_from(TOKENS), max_size=12))
def test_tokens_are_one_tree_or_refused(tokens):
    try:
        tree = from_prefix(tokens)
    except CaudexError:
        return
    if not any(a.startswith("INT") and b == "0" for a, b in zip(tokens, tokens[1:])):  # -0 and 01 have other tokens
        assert to_prefix(tree) == tokens


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        ("", "0 tokens are 0 expressions"),
        ("x x", "2 tokens are 2 expressions"),
        ("add x", "token 1, add, needs 2 operands"),
        ("INT+ x", "token 1, INT[+], needs 1 to 100 digits behind it, not 0"),
        ("add x 3", "digit"),
        ("INT+ " + "9 " * 101, "not 101"),
        ("mul x y", "token 3, 'y', is not among the tokens"),
        ("sin " * 101 + "x", "deeper than 100"),
    ],
)
def test_what_is_no_expression_is_refused(tokens, sentence):
    with pytest.raises(CaudexError, match=sentence):
        from_prefix(tokens.split())
