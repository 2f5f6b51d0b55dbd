"""Board games from positions of many games at once."""

from caudex.envs.boards.checking import check_game, random_actions
from caudex.envs.boards.finder import find_game, game_names
from caudex.envs.boards.game import Game, Position, Symmetry, board_symmetries, select, turn, where

__all__ = [
    "Game", "Position", "Symmetry", "board_symmetries", "check_game", "find_game", "game_names", "random_actions", "select", "turn", "where",
]  # fmt: skip
