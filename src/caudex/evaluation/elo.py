"""Elo ratings from games of a round robin: Bradley-Terry by maximum likelihood, with intervals from its curvature.

A difference of 400 means odds of 10 to 1. `choix` fits the same model, but has neither draws, anchor nor intervals.
Sources: Bradley and Terry 1952; Hunter 2004; Coulom 2008 for the prior of drawn games.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError

ELO_PER_NAT = 400 / math.log(10)
PRIOR_DRAWS = 1
"""drawn games added to each pair that met: they keep the rating of an undefeated player finite"""
NEWTON_STEPS, LARGEST_STEP = 100, 1.0


class Rating(NamedTuple):
    """Elo with its 95% interval, relative to the anchor."""

    elo: float
    low: float
    high: float
    games: int


def elo_ratings(games: Iterable[tuple[str, str, float]], anchor: str, anchor_elo: float = 0) -> dict[str, Rating]:
    """Rating of each player, best first, from games (player, opponent, score of the player: 1, 0.5 or 0).

    A draw counts as half a win. Both sides of a game are taken to be equal: let each pair play either side equally often.
    The interval is 1.96 standard errors to either side, the inverse of the log-likelihood's curvature at the ratings; where many games
    are drawn it is too wide.

    Raises CaudexError for another score, a game against oneself, an unknown anchor, or players whom no games connect.
    """
    games = list(games)
    names = sorted({name for game in games for name in game[:2]})
    results = count_results(games, names)  # [P, P, 3]
    if anchor not in names:
        raise CaudexError(
            f"the anchor {anchor!r} has played no game; choose one of {', '.join(names) or 'the players of some games'}."
        )
    check_connected(results.sum(-1) > 0, names)
    elo, errors = fit_elo(results, names.index(anchor))
    played = results.sum((1, 2)).tolist()
    ratings = {
        name: Rating(anchor_elo + own, anchor_elo + own - 1.96 * error, anchor_elo + own + 1.96 * error, games_played)
        for name, own, error, games_played in zip(names, elo.tolist(), errors.tolist(), played)
    }
    return dict(sorted(ratings.items(), key=lambda item: -item[1].elo))


def count_results(games: list, names: list[str]) -> np.ndarray:
    """[P, P, 3]: losses, draws and wins of the row's player against the column's."""
    results, rows = np.zeros((len(names), len(names), 3), np.int64), {name: row for row, name in enumerate(names)}
    for player, opponent, score in games:
        if score not in (0, 0.5, 1):
            raise CaudexError(f"the score of {player} against {opponent} is {score}; a win is 1, a draw 0.5, a loss 0.")
        if player == opponent:
            raise CaudexError(
                f"{player} plays against itself, which tells nothing of its strength; leave such games out."
            )
        results[rows[player], rows[opponent], int(2 * score)] += 1
        results[rows[opponent], rows[player], 2 - int(2 * score)] += 1
    return results


def check_connected(met: np.ndarray, names: list[str]) -> None:
    reached = np.arange(len(names)) == 0
    for _ in names:
        reached = reached | met[reached].any(0)
    if not reached.all():
        stranger = names[int(np.argmin(reached))]
        raise CaudexError(
            f"no games connect {names[0]} and {stranger}, so that their ratings cannot be compared; let them meet."
        )


def fit_elo(results: np.ndarray, anchor: int) -> tuple[np.ndarray, np.ndarray]:
    """Elo [P] and its standard errors [P] from results [P, P, 3], by Newton's method on the concave log-likelihood; both are 0 for the
    anchor."""
    played = results.sum(-1)
    prior = PRIOR_DRAWS * (played > 0)
    scores, played = (results[..., 2] + results[..., 1] / 2 + prior / 2).sum(-1), played + prior
    free = np.arange(len(played)) != anchor
    strengths, errors = np.zeros((2, len(played)))
    for _ in range(NEWTON_STEPS):
        chances = 1 / (1 + np.exp(strengths - strengths[:, None]))  # of the row to win
        gradient = scores - (played * chances).sum(-1)
        weights = played * chances * (1 - chances)
        covariance = np.linalg.inv((np.diag(weights.sum(-1)) - weights)[free][:, free])
        step = covariance @ gradient[free]
        strengths[free] += np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        if np.abs(step).max(initial=0) < 1e-9:
            break
    errors[free] = np.sqrt(np.diag(covariance))
    return strengths * ELO_PER_NAT, errors * ELO_PER_NAT
