"""Classical rules for bandits whose arms pay 1 or nothing, with a chance that is uniform in [0, 1] beforehand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

Rule = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""scores [N, k] of arms that paid `wins` [N, k] times and failed `losses` [N, k] times"""


class Puller:
    """Acts in bandits from what it sees of them: pulls the arm that the rule scores highest, ties at random.

    Where no action came before, a trial begins and all is forgotten.
    """

    def __init__(self, rule: Rule, seed: int = 0):
        self.rule, self.chance = rule, np.random.default_rng(seed)
        self.wins = self.losses = np.zeros(())

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Arms int64 [N] from observations [N, k + 2] of trials."""
        pulled, paid = observations[:, :-2], observations[:, -2:-1]
        new = ~pulled.any(1)
        if self.wins.shape != pulled.shape:
            self.wins, self.losses = np.zeros((2, *pulled.shape), np.float32)
        self.wins += pulled * paid
        self.losses += pulled * (1 - paid)
        self.wins[new], self.losses[new] = 0, 0
        return highest(self.rule(self.wins, self.losses, self.chance), self.chance)


def highest(scores: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """The place of the highest score in each row, ties at random."""
    best = scores == scores.max(-1, keepdims=True)
    return np.where(best, chance.random(scores.shape, np.float32), -1).argmax(-1)


def greedy(wins, losses, chance):
    """The arm of the highest posterior mean."""
    return (wins + 1) / (wins + losses + 2)


def epsilon_greedy(epsilon: float) -> Rule:
    """Greedy, but any arm with probability `epsilon`."""

    def rule(wins, losses, chance):
        return np.where(chance.random((len(wins), 1)) < epsilon, 0, greedy(wins, losses, chance))

    return rule


def ucb1(width: float) -> Rule:
    """Mean + width sqrt(2 ln t / T), one success and one failure counted beforehand (Auer et al. 2002; width 1 there)."""

    def rule(wins, losses, chance):
        pulls = wins + losses
        time = 1 + pulls.sum(1, keepdims=True)
        return greedy(wins, losses, chance) + width * np.sqrt(2 * np.log(time) / (pulls + 2))

    return rule


def thompson(wins, losses, chance):
    """A draw from the posterior of each arm (Thompson 1933)."""
    paid = chance.standard_gamma(wins + 1, dtype=np.float32)
    return paid / (paid + chance.standard_gamma(losses + 1, dtype=np.float32))


def optimistic(wins, losses, chance):
    """As `thompson`, but no arm scores below its posterior mean (May et al. 2012)."""
    return np.maximum(thompson(wins, losses, chance), greedy(wins, losses, chance))


def optimum(arms: int, pulls: int) -> float:
    """What the best of all rules earns on average: exact, by dynamic programming over what is known of the arms.

    Arms are alike, so only the sorted list of (paid, failed) of those that were pulled counts. For `pulls` up to a dozen.
    """

    @cache
    def value(known: tuple[tuple[int, int], ...], left: int) -> float:
        if not left:
            return 0.0
        best = 0.0
        fresh = [(0, 0)] if len(known) < arms else []
        for arm in {*known, *fresh}:
            rest = list(known)
            if arm in known:
                rest.remove(arm)
            paid, failed = arm
            chance = (paid + 1) / (paid + failed + 2)
            after = (value(tuple(sorted([*rest, each])), left - 1) for each in ((paid + 1, failed), (paid, failed + 1)))
            best = max(best, chance * (1 + next(after)) + (1 - chance) * next(after))
        return best

    return value((), pulls)
