"""An agent of a game whose network knows nothing: every move is as likely, every position even."""

import numpy as np

from caudex.envs.boards import find_game
from caudex.experience.search.search import Search


class UniformAgent:
    """Has the methods of `GameAgent` that players and pages ask for."""

    def __init__(self, game="connect-four", simulations=32):
        self.game = find_game(game) if isinstance(game, str) else game
        self.simulations = simulations

    def evaluate(self, planes):
        return np.zeros((len(planes), self.game.num_actions), np.float32), np.zeros(len(planes), np.float32)

    def search(self, positions, simulations=None, noise=0.0, seed=0):
        rng = np.random.default_rng(seed)
        return Search(self.game, self.evaluate, simulations or self.simulations, noise=noise, generator=rng).run(
            positions
        )

    def choose(self, positions):
        return self.search(positions).actions
