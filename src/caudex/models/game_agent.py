"""The result of learning a board game: a network and a search that asks it."""

from __future__ import annotations

import numpy as np
from torch import nn

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.specs import GameSpec
from caudex.envs.boards import find_game
from caudex.envs.boards.game import Position
from caudex.experience.search.network import in_random_symmetry, network_evaluation
from caudex.experience.search.search import Search, SearchResult, masked_softmax


class GameAgent(nn.Module):
    """Positions of a game to moves, by the signals `search-policy` and `game-value` of a learner, with `simulations` of each search."""

    def __init__(self, learner: Learner, spec: GameSpec, simulations: int, search: str = "gumbel"):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.spec, self.game = spec, find_game(spec.game)
        if (self.game.shape, self.game.num_actions) != (spec.shape, spec.num_actions):
            raise CaudexError(
                f"{spec.game} has planes {self.game.shape} and {self.game.num_actions:,} actions; the run learned {spec.shape} and "
                f"{spec.num_actions:,}. The game has changed; put it back, or train anew."
            )
        self.simulations, self.search_kind = simulations, search

    def evaluate(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits float32 [B, A] of all actions, legal or not, and values float32 [B] for the player to move, of planes [B, C, H, W]."""
        return network_evaluation(self.eval().trunk, self.signals)(planes)

    def search(
        self, positions: Position, simulations: int | None = None, noise: float = 0.0, seed: int = 0
    ) -> SearchResult:
        """What a search says of positions, none of which is over; `noise` as in `Search`. Evaluations are in random symmetries."""
        rng, simulations = np.random.default_rng(seed), simulations or self.simulations
        evaluate = in_random_symmetry(self.evaluate, self.game.symmetries(), rng)
        return Search(self.game, evaluate, simulations, self.search_kind, noise, generator=rng).run(positions)

    def choose(self, positions: Position) -> np.ndarray:
        """The best action int64 [B] of a search without noise."""
        return self.search(positions).actions

    def choose_without_search(self, positions: Position) -> np.ndarray:
        """The likeliest legal action int64 [B] of the network alone."""
        return self.policy(positions).argmax(1)

    def policy(self, positions: Position) -> np.ndarray:
        """float32 [B, A]: the network's probabilities of legal actions."""
        logits, _ = self.evaluate(self.game.planes(positions))
        return masked_softmax(logits, self.game.legal(positions))
