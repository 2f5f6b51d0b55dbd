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
def completed_q_values(tree, game, node):
    """float64 [A] in [0, 1]: Q of each edge; of one that was never followed the mixed value of the node (equations 10 and 33)."""
    actions = tree.visits.shape[2]
    q_values = np.zeros(actions)
    total, followed_prior, weighted = 0, 0.0, 0.0
    for action in range(actions):
        visits = tree.visits[game, node, action]
        if visits:
            q_values[action] = tree.value_sums[game, node, action] / visits
            total += visits
            followed_prior += tree.priors[game, node, action]
            weighted += tree.priors[game, node, action] * q_values[action]
    mixed = tree.value[game, node]
    if followed_prior > 0:
        mixed = (mixed + total * weighted / followed_prior) / (1 + total)
    for action in range(actions):
        if not tree.visits[game, node, action]:
            q_values[action] = mixed
        q_values[action] = (q_values[action] + 1) / 2
    return q_values


@compiled
def improved_logits(tree, game, node):
    """float64 [A]: ln prior + sigma(completed Q); -inf where illegal (equations 8 and 11)."""
    q_values = completed_q_values(tree, game, node)
    scale = C_SCALE * (C_VISIT + tree.visits[game, node].max())
    logits = np.full(len(q_values), -np.inf)
    for action in range(len(q_values)):
        if tree.priors[game, node, action] > 0:
            logits[action] = math.log(tree.priors[game, node, action]) + scale * q_values[action]
    return logits


@compiled
def improved_policy(tree, game, node):
    """float64 [A], the softmax of `improved_logits`."""
    logits = improved_logits(tree, game, node)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


@compiled
def select_by_improved_policy(tree, game, node):
    """Below the root: the edge whose share of visits lags most behind the improved policy (equation 14)."""
    policy, visits = improved_policy(tree, game, node), tree.visits[game, node]
    lag = policy - visits / (1 + visits.sum())
    best = -1
    for action in range(len(lag)):
        if tree.priors[game, node, action] > 0 and (best < 0 or lag[action] > lag[best]):
            best = action
    return best


@compiled
def root_scores(tree, gumbels):
    """float64 [B, A]: Gumbel noise + ln prior + sigma(Q) at each root; -inf where illegal."""
    scores = np.empty(gumbels.shape)
    for game in range(len(gumbels)):
        scores[game] = gumbels[game] + improved_logits(tree, game, 0)
    return scores


@compiled
def descend(tree, root_actions, by_improved_policy):
    """(node, action) [B] of the first edge on each way from the root that is not expanded; the action is NONE where the game is over at
    the node. `root_actions` [B] are followed first; NONE: chosen as everywhere."""
    games = len(root_actions)
    nodes, actions = np.zeros(games, np.int32), np.full(games, NONE, np.int32)
    for game in range(games):
        node, action = 0, root_actions[game]
        while not tree.is_over[game, node]:
            if action == NONE:
                if by_improved_policy:  # noqa: SIM108 - numba needs the two calls apart
                    action = select_by_improved_policy(tree, game, node)
                else:
                    action = select_by_puct(tree, game, node)
            child = tree.children[game, node, action]
            if child == NONE:
                actions[game] = action
                break
            node, action = child, NONE
        nodes[game] = node
    return nodes, actions
