"""A small network that plays, and how."""

from functools import partial

import torch
from torch.optim import AdamW

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.experience.self_play import SelfPlayGames, SelfPlaySettings
from caudex.signals.game_value import GameValue
from caudex.signals.search_policy import SearchPolicy
from caudex.trunks.residual_tower import ResidualTower
from helpers.board_games import Noughts

SETTINGS = SelfPlaySettings(
    num_games=6, simulations=8, search="gumbel", sampling_moves=4, opening_moves=0, value_mix=0.0
)


def small_learner(game):
    torch.manual_seed(0)
    signals = {"search-policy": SearchPolicy(game.num_actions, game.shape), "game-value": GameValue(game.shape, 8)}
    return Learner(ResidualTower(game.shape[0], 4, 1), signals, partial(AdamW, lr=1e-3))


class BrokenGame(Noughts):
    def legal(self, positions):
        raise CaudexError("the game has no rules")


def make_games(seed):
    return SelfPlayGames(Noughts(), small_learner(Noughts()), SETTINGS, seed)


def make_broken_games(seed):
    return SelfPlayGames(BrokenGame(), small_learner(Noughts()), SETTINGS, seed)
