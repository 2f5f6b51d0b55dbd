"""MCTS-N for every game: UCT with N random rollouts a move (Kocsis and Szepesvári 2006; Browne et al. 2012, algorithm 2).

`uct.py` is the same for Connect Four alone, compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.boards import Game, Position, random_actions, select

EXPLORATION = 1.4
"""with outcomes from -1 to 1, as in Connect Four"""


class Node:
    """A position of a game that goes on, and of its K legal actions the visits and the sums of outcomes for the player to move."""

    def __init__(self, position: Position, actions: np.ndarray, player: int):
        self.position, self.actions, self.player = position, actions, player  # fields [1, ...], int64 [K], 0 or 1
        self.visits, self.sums = np.zeros(len(actions)), np.zeros(len(actions))
        self.children: list[Any] = [None] * len(actions)

    def select(self, exploration: float, generator: np.random.Generator) -> int:
        """Index of an untried action at random; once all were tried, of the one with the highest upper confidence bound."""
        if len(untried := np.flatnonzero(self.visits == 0)):
            return int(generator.choice(untried))
        bonus = exploration * np.sqrt(np.log(self.visits.sum()) / self.visits)
        return int((self.sums / self.visits + bonus).argmax())

    def best_action(self) -> int:
        """The most visited; among equals the one of the higher mean."""
        return int(self.actions[(self.visits + 0.4 * self.sums / np.maximum(self.visits, 1)).argmax()])


class GameUCT:
    """A player of any game. The games of a batch have a tree each; each rollout is played in all of them side by side."""

    def __init__(self, game: Game, rollouts: int, exploration: float = EXPLORATION, seed: int = 0):
        if rollouts < 1:
            raise CaudexError(f"UCT needs at least 1 rollout a move, not {rollouts}.")
        self.game, self.rollouts, self.exploration = game, rollouts, exploration
        self.generator = np.random.default_rng(seed)

    def __call__(self, positions: Position) -> np.ndarray:
        """int64 [B], for positions of games that go on."""
        return np.array([root.best_action() for root in self.search(positions)], np.int64)

    def search(self, positions: Position) -> list[Node]:
        """The roots of the trees after all rollouts."""
        roots = self.make_nodes(positions)
        for _ in range(self.rollouts):
            paths = [self.descend(root) for root in roots]
            nodes, edges = zip(*(path[-1] for path in paths))
            parents = type(positions)(*map(np.concatenate, zip(*(node.position for node in nodes))))
            leaves = self.game.apply(parents, np.array([node.actions[edge] for node, edge in zip(nodes, edges)]))
            going = np.flatnonzero(~self.game.outcome(leaves)[0])
            if len(going):  # games need not answer for a batch of none
                for row, child in zip(going, self.make_nodes(select(leaves, going))):
                    nodes[row].children[edges[row]] = child
            for path, outcome in zip(paths, play_randomly(self.game, leaves, self.generator)):
                for node, edge in path:
                    node.visits[edge] += 1
                    node.sums[edge] += outcome if node.player == 0 else -outcome
        return roots

    def descend(self, root: Node) -> list[tuple[Node, int]]:
        """The edges from the root to the first that leads to no node: it is untried, or ends the game."""
        path, node = [], root
        while node is not None:
            edge = node.select(self.exploration, self.generator)
            path.append((node, edge))
            node = node.children[edge]
        return path

    def make_nodes(self, positions: Position) -> list[Node]:
        legal, players = self.game.legal(positions), self.game.to_play(positions)
        return [
            Node(select(positions, [row]), np.flatnonzero(legal[row]), int(players[row])) for row in range(len(legal))
        ]


def play_randomly(game: Game, positions: Position, generator: np.random.Generator) -> np.ndarray:
    """float64 [B]: the outcome for player 0 after random legal moves to the end of each game."""
    outcomes, rows = np.zeros(len(positions[0])), np.arange(len(positions[0]))
    while len(rows):
        is_over, values = game.outcome(positions)
        ends = np.flatnonzero(is_over)
        outcomes[rows[ends]] = np.where(game.to_play(positions)[ends] == 0, values[ends], -values[ends])
        rows, positions = rows[~is_over], select(positions, ~is_over)
        if len(rows):
            positions = game.apply(positions, random_actions(game.legal(positions), generator))
    return outcomes
