"""Classical rules for bandits whose arms pay 1 or nothing, with a uniform prior in [0, 1] on the probability."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

BanditRule = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""scores [N, k] of arms that paid `wins` [N, k] times and failed `losses` [N, k] times"""


class BanditPolicy:
    """Counts wins and losses from the observations of trials, and pulls the arm that the rule scores highest, ties at random.

    Where no action came before, a trial begins and the counts are reset.
    """

    def __init__(self, rule: BanditRule, seed: int = 0):
        self.rule, self.rng = rule, np.random.default_rng(seed)
        self.wins = self.losses = np.zeros(())

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Arms int64 [N] from observations [N, k + 2] of trials."""
        pulled, rewards = observations[:, :-2], observations[:, -2:-1]
        new_trial = ~pulled.any(1)
        if self.wins.shape != pulled.shape:
            self.wins, self.losses = np.zeros((2, *pulled.shape), np.float32)
        self.wins += pulled * rewards
        self.losses += pulled * (1 - rewards)
        self.wins[new_trial], self.losses[new_trial] = 0, 0
        return argmax_random_ties(self.rule(self.wins, self.losses, self.rng), self.rng)


def argmax_random_ties(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The index of the highest score in each row, ties at random."""
    is_best = scores == scores.max(-1, keepdims=True)
    return np.where(is_best, rng.random(scores.shape, np.float32), -1).argmax(-1)


def greedy_rule(wins, losses, rng):
    """The posterior mean of each arm."""
    return (wins + 1) / (wins + losses + 2)


def epsilon_greedy_rule(epsilon: float) -> BanditRule:
    """Greedy, but any arm with probability `epsilon`."""

    def rule(wins, losses, rng):
        return np.where(rng.random((len(wins), 1)) < epsilon, 0, greedy_rule(wins, losses, rng))

    return rule


def ucb1(width: float) -> BanditRule:
    """Mean + width sqrt(2 ln t / T), one success and one failure counted beforehand (Auer et al. 2002; width 1 there)."""

    def rule(wins, losses, rng):
        pulls = wins + losses
        time = 1 + pulls.sum(1, keepdims=True)
        return greedy_rule(wins, losses, rng) + width * np.sqrt(2 * np.log(time) / (pulls + 2))

    return rule


def thompson_sampling(wins, losses, rng):
    """A sample from the posterior of each arm (Thompson 1933)."""
    alpha = rng.standard_gamma(wins + 1, dtype=np.float32)
    return alpha / (alpha + rng.standard_gamma(losses + 1, dtype=np.float32))


def optimistic_thompson_sampling(wins, losses, rng):
    """As `thompson_sampling`, but no arm scores below its posterior mean (May et al. 2012)."""
    return np.maximum(thompson_sampling(wins, losses, rng), greedy_rule(wins, losses, rng))


def bayes_optimal_return(arms: int, pulls: int) -> float:
    """The expected return of the best of all rules: exact, by dynamic programming over the counts of the arms.

    Arms are alike, so only the sorted list of (wins, losses) of those that were pulled counts. For `pulls` up to a dozen.
    """

    @cache
    def value(counts: tuple[tuple[int, int], ...], pulls_left: int) -> float:
        if not pulls_left:
            return 0.0
        best = 0.0
        unpulled = [(0, 0)] if len(counts) < arms else []
        for arm in {*counts, *unpulled}:
            others = list(counts)
            if arm in counts:
                others.remove(arm)
            wins, losses = arm
            win_probability = (wins + 1) / (wins + losses + 2)
            after_win, after_loss = (
                value(tuple(sorted([*others, updated])), pulls_left - 1)
                for updated in ((wins + 1, losses), (wins, losses + 1))
            )
            best = max(best, win_probability * (1 + after_win) + (1 - win_probability) * after_loss)
        return best

    return value((), pulls)
