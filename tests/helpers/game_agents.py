"""An agent of a game whose network knows nothing: every move is as likely, every position even."""

import numpy as np
from torch import nn

from caudex.envs.boards import find_game
from caudex.models.game_agent import GameAgent


class UniformAgent(GameAgent):
    def __init__(self, game="connect-four", simulations=32):
        nn.Module.__init__(self)
        self.game, self.simulations, self.search_kind = find_game(game), simulations, "puct"

    def evaluate(self, planes):
        return np.zeros((len(planes), self.game.num_actions), np.float32), np.zeros(len(planes), np.float32)
