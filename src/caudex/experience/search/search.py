"""Tree search for many games at once: one call of the network a simulation (Silver et al. 2018; Danihelka et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from caudex.core.compiled import compiled
from caudex.envs.boards.game import Game, select
from caudex.experience.search.root import MAX_CONSIDERED, add_root_noise, halving_phases
from caudex.experience.search.selection import descend, root_policies, root_scores
from caudex.experience.search.tree import NONE, Tree, add_nodes, back_up, empty_tree, move_root

Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""planes [B, C, H, W] to (logits float32 [B, A], values float32 [B] for the player to move)"""


class SearchResult(NamedTuple):
    """Of B games: what the search says of the actions, and what it would play without noise."""

    policy: np.ndarray  # float32 [B, A], the target: shares of visits, or the improved policy
    actions: np.ndarray  # int64 [B], the best; by gumbel with noise, of those visited most
    values: np.ndarray  # float32 [B], of the root for the player to move
    visits: np.ndarray  # int32 [B, A]


class Search:
    """`run` searches from positions, `advance` goes on from the chosen children with what is known of them.

    `by` is puct, with Dirichlet noise at the root while `noise` is above 0, or gumbel. The noise's `alpha` is shared out among the legal
    actions: 10 gives the concentrations that were published (0.3 in chess, 0.03 in Go).
    """

    def __init__(
        self,
        game: Game,
        evaluate: Evaluate,
        simulations: int,
        by: str = "puct",
        noise: float = 0.25,
        alpha: float = 10.0,
        generator: np.random.Generator | None = None,
    ):
        self.game, self.evaluate, self.simulations = game, evaluate, simulations
        self.by, self.noise, self.alpha = by, noise, alpha
        self.generator = generator or np.random.default_rng(0)
        self.tree: Tree | None = None
        self.positions: Any = None  # of every node, fields [B, N, ...]

    def run(self, positions) -> SearchResult:
        """Search from these positions, none of which is over. After `advance` they are the positions of its roots."""
        batch = len(positions[0])
        if self.tree is None:
            self._begin(batch, positions)
        roots, nothing = np.flatnonzero(self.tree.size == 0), np.full(batch, NONE, np.int32)
        self._expand(roots, nothing[roots], nothing[roots], select(positions, roots))
        if self.by == "gumbel":
            return self._run_gumbel(batch)
        if self.noise:
            add_root_noise(self.tree, self.noise, self.alpha, self.generator)
        for _ in range(self.simulations - int(self.tree.visits[:, 0].sum(1).min())):
            self._simulate(nothing)
        visits = self.tree.visits[:, 0].copy()
        policy = (visits / visits.sum(1, keepdims=True)).astype(np.float32)
        return SearchResult(policy, visits.argmax(1), self._root_values(), visits)

    def advance(self, actions: np.ndarray) -> None:
        """Keep the trees below these actions, int64 [B]."""
        self.tree, old_nodes = move_root(self.tree, actions)
        rows = np.arange(len(old_nodes))[:, None]
        self.positions = type(self.positions)(*(field[rows, old_nodes] for field in self.positions))

    def _run_gumbel(self, batch: int) -> SearchResult:
        tree, actions = self.tree, self.tree.priors.shape[2]
        gumbels = self.generator.gumbel(size=(batch, actions)) if self.noise else np.zeros((batch, actions))
        num_legal = (tree.priors[:, 0] > 0).sum(1)
        for considered, each in halving_phases(self.simulations, min(MAX_CONSIDERED, actions, self.simulations)):
            ranked = root_scores(tree, gumbels).argsort(1)[:, ::-1]
            for place in np.tile(np.arange(considered), each):
                self._simulate(ranked[np.arange(batch), place % num_legal])
        # without noise an action that was dropped early may prove better than those that were not: in play any visited one is chosen
        visits = tree.visits[:, 0].copy()
        enough = visits.max(1, keepdims=True) if self.noise else 1
        best = np.where(visits >= enough, root_scores(tree, gumbels), -np.inf).argmax(1)
        return SearchResult(root_policies(tree).astype(np.float32), best, self._root_values(), visits)

    def _begin(self, batch: int, positions) -> None:
        nodes = 2 * self.simulations + 1  # of what is kept and what is added
        self.tree = empty_tree(batch, nodes, self.game.num_actions)
        self.positions = type(positions)(
            *(np.zeros((batch, nodes, *field.shape[1:]), field.dtype) for field in positions)
        )

    def _simulate(self, root_actions: np.ndarray) -> None:
        """Select, expand, back up: one more visit in each tree."""
        leaves, actions = descend(self.tree, root_actions, self.by == "gumbel")
        games = np.flatnonzero(actions != NONE)
        if len(games):  # games need not answer for a batch of none
            parents, chosen = leaves[games], actions[games]
            before = type(self.positions)(*(field[games, parents] for field in self.positions))
            leaves[games] = self._expand(games, parents, chosen, self.game.apply(before, chosen.astype(np.int64)))
        back_up(self.tree, leaves)

    def _expand(self, games: np.ndarray, parents: np.ndarray, actions: np.ndarray, positions) -> np.ndarray:
        """New nodes for these positions, with the network's priors and value, or the value of a game that is over."""
        tree, game = self.tree, self.game
        if not len(games):
            return games
        is_over, values = game.outcome(positions)
        nodes = add_nodes(tree, games, parents, actions, game.to_play(positions), is_over, values)
        for field, part in zip(self.positions, positions):
            field[games, nodes] = part
        going = np.flatnonzero(~is_over)
        if len(going):
            going_on = select(positions, going) if is_over.any() else positions
            logits, values = self.evaluate(game.planes(going_on))
            evaluated = games[going], nodes[going]
            tree.priors[evaluated] = masked_softmax(logits, game.legal(going_on))
            tree.value[evaluated] = values
        return nodes

    def _root_values(self) -> np.ndarray:
        """The mean of all evaluations below each root, float32 [B]."""
        total = self.tree.value[:, 0] + self.tree.value_sums[:, 0].sum(1)
        return (total / (1 + self.tree.visits[:, 0].sum(1))).astype(np.float32)


@compiled
def masked_softmax(logits, legal):
    """float32 [B, A]: the softmax of the logits of legal actions, none of which has probability 0; all 0 where none is legal."""
    priors = np.zeros(logits.shape, np.float32)
    for row in range(len(logits)):
        highest, total = -np.inf, 0.0
        for action in range(logits.shape[1]):
            if legal[row, action]:
                highest = max(highest, logits[row, action])
        for action in range(logits.shape[1]):
            if legal[row, action]:
                priors[row, action] = max(math.exp(logits[row, action] - highest), 1e-12)
                total += priors[row, action]
        for action in range(logits.shape[1]):
            if legal[row, action]:
                priors[row, action] /= total
    return priors
