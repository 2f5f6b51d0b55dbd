"""Which edge to follow: PUCT (Silver et al. 2018), or what lags behind the improved policy (Danihelka et al. 2022).

All in one file, for numba keeps compiled code by file: a change in another would not be seen.
"""

from __future__ import annotations

import math

import numpy as np

from caudex.core.compiled import compiled
from caudex.experience.search.tree import NONE

C_BASE, C_INIT = 19_652.0, 1.25
"""of PUCT (Silver et al. 2018, pseudocode)"""
C_VISIT, C_SCALE = 50.0, 1.0
"""of sigma (Danihelka et al. 2022, section 3.4)"""


@compiled
def select_by_puct(tree, game, node):
    """The edge with the largest Q + U; of one that was never followed Q is 0."""
    total = 1  # the node's own evaluation
    for action in range(tree.visits.shape[2]):
        total += tree.visits[game, node, action]
    exploration = math.log((total + C_BASE + 1) / C_BASE) + C_INIT
    best, best_score = 0, -np.inf
    for action in range(tree.visits.shape[2]):
        prior, visits = tree.priors[game, node, action], tree.visits[game, node, action]
        if prior > 0:
            q_value = tree.value_sums[game, node, action] / visits if visits else 0.0
            score = q_value + exploration * prior * math.sqrt(total) / (1 + visits)
            if score > best_score:
                best, best_score = action, score
    return best


@compiled
def improved_logits(tree, game, node, logits):
    """Fill `logits` float64 [A] with ln prior + sigma(Q), Q in [0, 1]; -inf where illegal (equations 8 and 11).

    Q of an edge that was never followed is the mixed value of the node (equations 10 and 33).
    """
    total, most, followed_prior, weighted = 0, 0, 0.0, 0.0
    for action in range(len(logits)):
        visits = tree.visits[game, node, action]
        if visits:
            prior = tree.priors[game, node, action]
            total, most = total + visits, max(most, visits)
            followed_prior += prior
            weighted += prior * (tree.value_sums[game, node, action] / visits)
    mixed = tree.value[game, node]
    if followed_prior > 0:
        mixed = (mixed + total * weighted / followed_prior) / (1 + total)
    scale = C_SCALE * (C_VISIT + most)
    for action in range(len(logits)):
        prior, visits = tree.priors[game, node, action], tree.visits[game, node, action]
        q_value = tree.value_sums[game, node, action] / visits if visits else mixed
        logits[action] = math.log(prior) + scale * (q_value + 1) / 2 if prior > 0 else -np.inf


@compiled
def improved_policy(tree, game, node, policy):
    """Fill `policy` float64 [A] with the softmax of `improved_logits`; returns the visits of all edges."""
    improved_logits(tree, game, node, policy)
    highest, weights, total = policy.max(), 0.0, 0
    for action in range(len(policy)):
        policy[action] = math.exp(policy[action] - highest) if policy[action] > -np.inf else 0.0
        weights += policy[action]
        total += tree.visits[game, node, action]
    policy /= weights
    return total


@compiled
def select_by_improved_policy(tree, game, node, policy):
    """Below the root: the edge whose share of visits lags most behind the improved policy (equation 14), which fills `policy`."""
    total = improved_policy(tree, game, node, policy)
    best, best_lag = -1, -np.inf
    for action in range(len(policy)):
        lag = policy[action] - tree.visits[game, node, action] / (1 + total)
        if tree.priors[game, node, action] > 0 and lag > best_lag:
            best, best_lag = action, lag
    return best


@compiled
def root_scores(tree, gumbels):
    """float64 [B, A]: Gumbel noise + ln prior + sigma(Q) at each root; -inf where illegal."""
    scores = np.empty(gumbels.shape)
    for game in range(len(scores)):
        improved_logits(tree, game, 0, scores[game])
    return scores + gumbels


@compiled
def root_policies(tree):
    """float64 [B, A]: the improved policy of each root."""
    policies = np.empty((len(tree.priors), tree.priors.shape[2]))
    for game in range(len(policies)):
        improved_policy(tree, game, 0, policies[game])
    return policies


@compiled
def descend(tree, root_actions, by_improved_policy):
    """(node, action) [B] of the first edge on each way from the root that is not expanded; the action is NONE where the game is over at
    the node. `root_actions` [B] are followed first; NONE: chosen as everywhere."""
    games, policy = len(root_actions), np.empty(tree.priors.shape[2])
    nodes, actions = np.zeros(games, np.int32), np.full(games, NONE, np.int32)
    for game in range(games):
        node, action = 0, root_actions[game]
        while not tree.is_over[game, node]:
            if action == NONE:
                if by_improved_policy:  # noqa: SIM108 - numba needs the two calls apart
                    action = select_by_improved_policy(tree, game, node, policy)
                else:
                    action = select_by_puct(tree, game, node)
            child = tree.children[game, node, action]
            if child == NONE:
                actions[game] = action
                break
            node, action = child, NONE
        nodes[game] = node
    return nodes, actions
