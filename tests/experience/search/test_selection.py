"""The compiled choices of edges beside the equations, written plainly."""

import numpy as np
import pytest
from helpers.board_games import Noughts

from caudex.experience.search.search import Search, masked_softmax
from caudex.experience.search.selection import C_BASE, C_INIT, descend, root_policies, root_scores
from caudex.experience.search.tree import NONE

WEIGHTS = np.random.default_rng(0).normal(size=(18, 10))


def evaluate(planes):
    outputs = planes.reshape(len(planes), -1) @ WEIGHTS
    return outputs[:, :9].astype(np.float32), np.tanh(outputs[:, 9]).astype(np.float32)


def searched_tree(by, simulations=40):
    search = Search(Noughts(), evaluate, simulations, by, noise=0)
    search.run(Noughts().initial(1))
    return search.tree


def puct_choice(tree, node):
    visits, priors = tree.visits[0, node], tree.priors[0, node].astype(float)
    q_values = np.divide(tree.value_sums[0, node], visits, out=np.zeros(9), where=visits > 0)
    total = 1 + visits.sum()
    exploration = np.log((total + C_BASE + 1) / C_BASE) + C_INIT
    return np.where(priors > 0, q_values + exploration * priors * np.sqrt(total) / (1 + visits), -np.inf).argmax()


def improved_logits(tree, node):
    """Equations 8, 10, 11 and 33 of Danihelka et al. 2022, with c_visit 50 and c_scale 1."""
    visits, priors = tree.visits[0, node], tree.priors[0, node].astype(float)
    q_values = np.divide(tree.value_sums[0, node], visits, out=np.zeros(9), where=visits > 0)
    followed = visits > 0
    mixed = tree.value[0, node]
    if followed.any():
        mean = (priors * q_values)[followed].sum() / priors[followed].sum()
        mixed = (mixed + visits.sum() * mean) / (1 + visits.sum())
    completed = (np.where(followed, q_values, mixed) + 1) / 2
    return np.where(priors > 0, np.log(np.where(priors > 0, priors, 1)) + (50 + visits.max()) * completed, -np.inf)


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def gumbel_choice(tree, node):
    visits = tree.visits[0, node]
    lag = softmax(improved_logits(tree, node)) - visits / (1 + visits.sum())
    return np.where(tree.priors[0, node] > 0, lag, -np.inf).argmax()


@pytest.mark.parametrize(("by", "choose"), [("puct", puct_choice), ("gumbel", gumbel_choice)])
def test_the_next_edge_is_that_of_the_equations(by, choose):
    tree = searched_tree(by)
    for first in range(9):
        action, node = first, 0
        while (child := tree.children[0, node, action]) != NONE and not tree.is_over[0, child]:
            node, action = child, choose(tree, child)
        leaf, chosen = descend(tree, np.array([first], np.int32), by == "gumbel")
        if child == NONE:
            assert (leaf[0], chosen[0]) == (node, action)
        else:
            assert (leaf[0], chosen[0]) == (child, NONE)


def test_policies_and_scores_of_the_root_are_those_of_the_equations():
    tree, gumbels = searched_tree("gumbel"), np.random.default_rng(1).gumbel(size=(1, 9))
    assert root_policies(tree)[0] == pytest.approx(softmax(improved_logits(tree, 0)), rel=1e-5)
    assert root_scores(tree, gumbels)[0] == pytest.approx(gumbels[0] + improved_logits(tree, 0), rel=1e-5)


def test_priors_are_the_softmax_of_legal_logits():
    rng = np.random.default_rng(2)
    logits, legal = 5 * rng.normal(size=(50, 9)).astype(np.float32), rng.random((50, 9)) < 0.7
    legal[:, 0] = True
    legal[0] = False  # a finished game
    priors = masked_softmax(logits, legal)
    expected = [softmax(np.where(mask, row, -np.inf)) for row, mask in zip(logits[1:].astype(float), legal[1:])]
    assert priors[1:] == pytest.approx(np.stack(expected), rel=1e-5) and not priors[0].any()
