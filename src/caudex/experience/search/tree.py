"""The search trees of many games at once: arrays [B, N, ...] for B games of up to N nodes each (the layout of mctx)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caudex.core.compiled import compiled

NONE = -1


class Tree(NamedTuple):
    """Node 0 is the root. Values are for the player who is to move at their node; those of edges for the player who chooses."""

    size: np.ndarray  # int32 [B], nodes so far
    parent: np.ndarray  # int32 [B, N], NONE of the root
    action: np.ndarray  # int32 [B, N], that led there
    to_play: np.ndarray  # int8 [B, N]
    is_over: np.ndarray  # bool [B, N]
    value: np.ndarray  # float32 [B, N], of the network, or of the game where it is over
    priors: np.ndarray  # float32 [B, N, A], sum to 1; 0 where illegal
    children: np.ndarray  # int32 [B, N, A], NONE where not expanded
    visits: np.ndarray  # int32 [B, N, A], of edges
    value_sums: np.ndarray  # float32 [B, N, A], of edges


def empty_tree(batch: int, nodes: int, actions: int) -> Tree:
    """No nodes yet. All is 0, so that memory is taken as nodes are added."""
    edges = (batch, nodes, actions)
    return Tree(
        np.zeros(batch, np.int32),
        np.zeros((batch, nodes), np.int32),
        np.zeros((batch, nodes), np.int32),
        np.zeros((batch, nodes), np.int8),
        np.zeros((batch, nodes), bool),
        np.zeros((batch, nodes), np.float32),
        np.zeros(edges, np.float32),
        np.zeros(edges, np.int32),
        np.zeros(edges, np.int32),
        np.zeros(edges, np.float32),
    )


@compiled
def add_nodes(tree, games, parents, actions, to_play, is_over, values):
    """A new node below each of `parents` [M], nodes of `games` [M]; returns their numbers int32 [M]. NONE as parent makes a root."""
    nodes = tree.size[games]
    for i in range(len(games)):
        game, node = games[i], nodes[i]
        tree.parent[game, node], tree.action[game, node] = parents[i], actions[i]
        tree.to_play[game, node], tree.is_over[game, node] = to_play[i], is_over[i]
        tree.value[game, node] = values[i]
        tree.children[game, node] = NONE
        if parents[i] != NONE:
            tree.children[game, parents[i], actions[i]] = node
        tree.size[game] += 1
    return nodes


@compiled
def back_up(tree, leaves):
    """Add the value of each leaf [B] to all edges on its way to the root, from the view of who chose there."""
    for game in range(len(leaves)):
        node = leaves[game]
        value, player = tree.value[game, node], tree.to_play[game, node]
        while tree.parent[game, node] != NONE:
            parent, action = tree.parent[game, node], tree.action[game, node]
            sign = 1.0 if tree.to_play[game, parent] == player else -1.0
            tree.visits[game, parent, action] += 1
            tree.value_sums[game, parent, action] += sign * value
            node = parent


@compiled
def subtree_nodes(tree, actions):
    """int32 [B, N]: the old number of each node below the root's child by `actions` [B], in order; NONE behind them."""
    games, nodes = tree.parent.shape
    old_nodes = np.full((games, nodes), NONE, np.int32)
    for game in range(games):
        child = tree.children[game, 0, actions[game]]
        if child == NONE:
            continue
        is_below = np.zeros(nodes, np.bool_)
        is_below[child] = True
        count = 0
        for node in range(child, tree.size[game]):  # a parent has a smaller number than its children
            if node == child or is_below[tree.parent[game, node]]:
                is_below[node] = True
                old_nodes[game, count] = node
                count += 1
    return old_nodes


def move_root(tree: Tree, actions: np.ndarray) -> tuple[Tree, np.ndarray]:
    """The trees below the root's children by `actions` [B], and the old numbers of their nodes as `subtree_nodes` gives them; a game whose
    child was not expanded has an empty tree."""
    old_nodes = subtree_nodes(tree, actions)
    games, new = np.nonzero(old_nodes != NONE)
    old = old_nodes[games, new]
    moved = empty_tree(*tree.priors.shape)
    for before, after in zip(tree[1:], moved[1:]):
        after[games, new] = before[games, old]
    moved.size[:] = (old_nodes != NONE).sum(1)
    number = np.full(tree.parent.shape, NONE, np.int32)
    number[games, old] = new
    parents = moved.parent[games, new]
    moved.parent[games, new] = np.where(parents == NONE, NONE, number[games, parents])
    children = moved.children[games, new]
    moved.children[games, new] = np.where(children == NONE, NONE, number[games[:, None], children])
    moved.parent[:, 0] = moved.action[:, 0] = NONE
    return moved, old_nodes
