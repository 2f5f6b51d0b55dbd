"""The sum tree is like a plain list."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from caudex.experience import SumTree


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 10)), min_size=1, max_size=30))
def test_the_sum_tree_is_like_a_plain_list(changes):
    tree, plain = SumTree(21, alpha=0.5), np.zeros(21)
    for place, error in changes:
        tree.update(np.array([place]), np.array([error]))
        plain[place] = (error + 1e-6) ** 0.5
    assert tree.leaves == approx(plain)
    assert tree.total == approx(plain.sum())
    indices, shares = tree.sample(np.random.default_rng(0), 2000)
    assert shares == approx(plain[indices] / plain.sum())
    counts = np.bincount(indices, minlength=21)
    assert np.abs(counts / 2000 - plain / plain.sum()).max() < 0.02  # strata: hardly any noise
    other = SumTree(21, alpha=0.5)
    other.load(tree.leaves, tree.max_priority)
    assert other.sums == approx(tree.sums)
