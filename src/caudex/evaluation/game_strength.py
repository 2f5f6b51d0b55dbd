"""How strong what plays a board game is: against fixed opponents, against what it was earlier, and against the truth where it is known."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from caudex.core.progress import track
from caudex.envs.boards import Game
from caudex.evaluation.elo import Rating, elo_ratings
from caudex.evaluation.intervals import wilson_interval
from caudex.evaluation.matches import MatchResult, play_match
from caudex.evaluation.optimal_moves import SolvedPositions, optimal_share
from caudex.evaluation.players import ChooseActions
from caudex.models.game_agent import GameAgent

OPENING_MOVES = 2
"""of matches, at random: else players that draw nothing repeat one game"""


def summarize_match(match: MatchResult) -> dict[str, Any]:
    """Wins, draws and losses of the first player, and its points a game with a 95% interval (Wilson, a draw as half a win)."""
    scores, (_, opponent) = match.scores, match.names
    points = float(scores.mean())
    low, high = wilson_interval(points, len(scores))
    counts = {name: int((scores == score).sum()) for name, score in (("wins", 1), ("draws", 0.5), ("losses", 0))}
    return {"opponent": opponent, "games": len(scores), **counts, "points": points, "low": low, "high": high}


def opening_moves(game: Game) -> int:
    """A small board is nearly decided by two random moves."""
    return OPENING_MOVES if game.num_actions > 9 or game.name == "connect-four" else 1


def elo_curve(
    game: Game,
    stages: Mapping[str, ChooseActions],
    others: Mapping[str, ChooseActions],
    games: int,
    seed: int,
    silent: bool = False,
) -> dict[str, Rating]:
    """Elo of the stages of a training, in their order, and of other players, of which the first has 0: each stage meets the next two
    and all others, and these each other."""
    names = list(stages)
    pairs = [(name, later) for i, name in enumerate(names) for later in names[i + 1 : i + 3]]
    pairs += [(name, other) for name in names for other in others] + list(combinations(others, 2))
    players, rows = {**stages, **others}, []
    for number, pair in enumerate(track(pairs, "playing matches", len(pairs), silent=silent)):
        both = players[pair[0]], players[pair[1]]
        rows += play_match(game, both, games, seed + number, opening_moves(game), pair).rows()
    return elo_ratings(rows, next(iter(others)))


def optimal_moves(agent: GameAgent, positions: SolvedPositions, simulations: int | None) -> dict[str, dict]:
    """By phase of Connect Four, the share of positions whose game value the agent's move keeps; None: the network without search."""

    def choose(stones: np.ndarray, occupied: np.ndarray) -> np.ndarray:
        own = type(agent.game.initial(1))(stones, occupied)
        return agent.choose_without_search(own) if simulations is None else agent.search(own, simulations).actions

    return {phase: share._asdict() for phase, share in optimal_share(choose, positions).items()}
