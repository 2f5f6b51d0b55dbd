"""Elo ratings from games of a round robin: Bradley-Terry by maximum likelihood, with intervals by the bootstrap.

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


def elo_ratings(
    games: Iterable[tuple[str, str, float]], anchor: str, anchor_elo: float = 0, resamples: int = 1000, seed: int = 0
) -> dict[str, Rating]:
    """Rating of each player, best first, from games (player, opponent, score of the player: 1, 0.5 or 0).

    A draw counts as half a win. Both sides of a game are taken to be equal: let each pair play either side equally often.
    The bootstrap draws as many games for each pair as it played, from its results and `PRIOR_DRAWS`: without these, ten wins
    of ten games would have no interval.

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
    fixed = names.index(anchor)
    elo, resampled = fit_elo(results[None], fixed)[0], fit_elo(resample(results, resamples, seed), fixed)
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    played = results.sum((1, 2))
    ratings = {
        name: Rating(
            float(elo[i] + anchor_elo), float(low[i] + anchor_elo), float(high[i] + anchor_elo), int(played[i])
        )
        for i, name in enumerate(names)
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


def resample(results: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """[R, P, P, 3]: each pair plays as often as it did."""
    smooth = results + PRIOR_DRAWS * np.array([0.5, 0, 0.5])  # a loss and a win, as the prior may not hide either
    generator, resampled = np.random.default_rng(seed), np.zeros((resamples, *results.shape), np.int64)
    for row, column in zip(*np.triu(results.sum(-1)).nonzero()):
        shares = smooth[row, column] / smooth[row, column].sum()
        resampled[:, row, column] = generator.multinomial(results[row, column].sum(), shares, size=resamples)
        resampled[:, column, row] = resampled[:, row, column, ::-1]
    return resampled


def fit_elo(results: np.ndarray, anchor: int) -> np.ndarray:
    """Elo [R, P] from results [R, P, P, 3], by Newton's method on the concave log-likelihood; 0 for the anchor."""
    played = results.sum(-1)
    prior = PRIOR_DRAWS * (played > 0)
    scores, played = (results[..., 2] + results[..., 1] / 2 + prior / 2).sum(-1), played + prior
    free = np.arange(played.shape[1]) != anchor
    strengths = np.zeros(scores.shape)
    for _ in range(NEWTON_STEPS):
        chances = 1 / (1 + np.exp(strengths[:, None, :] - strengths[:, :, None]))  # of the row to win
        gradient = scores - (played * chances).sum(-1)
        weights = played * chances * (1 - chances)
        hessian = np.eye(played.shape[1]) * weights.sum(-1)[:, :, None] - weights
        step = np.linalg.solve(hessian[:, free][:, :, free], gradient[:, free, None])[..., 0]
        strengths[:, free] += np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        if np.abs(step).max(initial=0) < 1e-9:
            break
    return strengths * ELO_PER_NAT
