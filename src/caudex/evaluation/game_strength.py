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
from caudex.evaluation.matches import play_match
from caudex.evaluation.optimal_moves import optimal_share, packaged_positions
from caudex.evaluation.players import ChooseActions, find_player
from caudex.models.game_agent import GameAgent

OPENING_MOVES = 2
"""of matches, at random: else players that draw nothing repeat one game"""


def opening_moves(game: Game) -> int:
    """A small board is nearly decided by two random moves."""
    return OPENING_MOVES if game.num_actions > 9 or game.name == "connect-four" else 1


def summarize_scores(scores: np.ndarray) -> dict[str, Any]:
    """Wins, draws and losses of float64 [G] scores, and the share of the points with a 95% interval (Wilson, a draw as half a win)."""
    share = float(scores.mean())
    low, high = wilson_interval(share, len(scores))
    counts = {name: int((scores == score).sum()) for name, score in (("wins", 1), ("draws", 0.5), ("losses", 0))}
    return {"games": len(scores), **counts, "share": share, "low": low, "high": high}


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


def strength(choose: ChooseActions, game: Game, opponent: str, games: int, seed: int) -> dict[str, Any]:
    """Of Connect Four the share of optimal moves in 1,000 solved positions, of other games the share of points against an opponent;
    with a 95% interval (Wilson), and the name of the measure."""
    if game.name == "connect-four":
        position = type(game.initial(1))
        share = optimal_share(lambda *boards: choose(position(*boards)), packaged_positions())["all"]
        return {"measure": "optimal moves", "share": share.share, "low": share.low, "high": share.high}
    both = choose, find_player(opponent, game, seed=seed)
    summary = summarize_scores(play_match(game, both, games, seed, opening_moves(game)).scores)
    return {"measure": f"points against {opponent}", **{name: summary[name] for name in ("share", "low", "high")}}


def with_simulations(agent: GameAgent, simulations: int) -> ChooseActions:
    """The agent with so many simulations a move; 0: the network alone."""
    if not simulations:
        return agent.choose_without_search
    return lambda positions: agent.search(positions, simulations).actions
