"""Classical ways to learn tabular Markov decision processes of short episodes, all tasks of a batch at once.

Beforehand, rewards are N(mean, 1), their means N(`prior`, 1), transitions flat Dirichlet: with a prior of 1 that is how
`TabularMDPs` draws them; with 0 the rows of Duan et al. (2016, table 2) come out. Each way plans anew for every episode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from caudex.evaluation.baselines.bandits import highest


@dataclass
class Known:
    """What was seen of N tasks, and what was believed beforehand."""

    rewards: np.ndarray  # [N, S, A], sums
    visits: np.ndarray  # [N, S, A]
    moves: np.ndarray  # [N, S, A, S], how often which state came next
    prior: float

    @property
    def means(self) -> np.ndarray:
        """Posterior means of the rewards' means, [N, S, A]; their deviations are 1 / sqrt(1 + visits)."""
        return (self.prior + self.rewards) / (1 + self.visits)

    @property
    def shares(self) -> np.ndarray:
        """Posterior means of the transitions, [N, S, A, S]."""
        return (1 + self.moves) / (1 + self.moves).sum(-1, keepdims=True)

    def of(self, which: np.ndarray) -> Known:
        """Of some tasks alone."""
        return Known(self.rewards[which], self.visits[which], self.moves[which], self.prior)


Plan = Callable[[Known, int, np.random.Generator], np.ndarray]
"""What each action is worth, [N, H, S, A], H steps before the episode's end and so on to the last step"""


def planned(rewards: np.ndarray, transitions: np.ndarray, horizon: int) -> np.ndarray:
    """[N, H, S, A]: value iteration, from rewards [N, S, A] and transitions [N, S, A, S]."""
    n, states, actions = rewards.shape
    flat = transitions.reshape(n, states * actions, states)
    worth = np.empty((n, horizon, states, actions), rewards.dtype)
    worth[:, -1] = rewards
    for h in reversed(range(horizon - 1)):
        best = worth[:, h + 1].max(-1)[..., None]  # [N, S, 1]
        worth[:, h] = rewards + (flat @ best).reshape(rewards.shape)
    return worth


class Planner:
    """Acts in tabular MDPs from what it sees of them, by a plan made at the beginning of each episode; ties at random.

    Where no action came before, a trial begins and all is forgotten. `epsilon`: the chance of any action instead. What
    follows the last step of an episode is not seen: the next episode's first state stands in its place.
    """

    def __init__(
        self, plan: Plan, states: int = 10, actions: int = 5, horizon: int = 10, prior: float = 1.0,
        epsilon: float = 0.0, seed: int = 0,
    ):  # fmt: skip
        self.plan, self.states, self.actions, self.horizon = plan, states, actions, horizon
        self.prior, self.epsilon, self.chance = prior, epsilon, np.random.default_rng(seed)
        self.known = None

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Actions int64 [N] from observations [N, S + A + 2] of trials."""
        state, before = observations[:, : self.states].argmax(1), observations[:, self.states :]
        new = ~before[:, :-2].any(1)
        begins = new | (before[:, -1] > 0)
        if self.known is None:
            pairs = len(state), self.states, self.actions
            sums = (np.zeros(shape, np.float32) for shape in (pairs, pairs, (*pairs, self.states)))
            self.known = Known(*sums, self.prior)
            self.worth = np.zeros((len(state), self.horizon, *pairs[1:]), np.float32)
            self.state = self.step = np.zeros(len(state), np.int64)
        self._learn(before, state, new, begins)
        self.state, self.step = state, np.where(begins, 0, self.step + 1)
        if begins.any():
            self.worth[begins] = self.plan(self.known.of(begins), self.horizon, self.chance)
        actions = highest(self.worth[np.arange(len(state)), self.step, state], self.chance)
        if not self.epsilon:
            return actions
        anything = self.chance.integers(self.actions, size=len(state))
        return np.where(self.chance.random(len(state)) < self.epsilon, anything, actions)

    def _learn(self, before: np.ndarray, state: np.ndarray, new: np.ndarray, begins: np.ndarray) -> None:
        known, rows = self.known, np.arange(len(state))
        for part in (known.rewards, known.visits, known.moves):
            part[new] = 0
        here = rows, self.state, before[:, :-2].argmax(1)
        known.rewards[here] += np.where(new, 0, before[:, -2])
        known.visits[here] += ~new
        known.moves[(*here, state)] += ~begins


def greedy(known: Known, horizon: int, chance: np.random.Generator) -> np.ndarray:
    """As if the posterior means were the truth."""
    return planned(known.means, known.shares, horizon)


def beb(bonus: float) -> Plan:
    """Bayesian exploration bonus: greedy, with bonus / (1 + visits) on each reward (Kolter and Ng 2009)."""

    def plan(known, horizon, chance):
        return planned(known.means + bonus / (1 + known.visits), known.shares, horizon)

    return plan


def psrl(known: Known, horizon: int, chance: np.random.Generator) -> np.ndarray:
    """As if a draw from the posterior were the truth (Strens 2000; Osband et al. 2013)."""
    return planned(*sampled(known, chance), horizon)


def sampled(known: Known, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    noise = chance.standard_normal(known.means.shape, np.float32)
    shares = chance.standard_gamma(1 + known.moves, dtype=np.float32)
    return known.means + noise / np.sqrt(1 + known.visits), shares / shares.sum(-1, keepdims=True)


def opsrl(draws: int) -> Plan:
    """As if, for each state and action, the best of some draws from the posterior were the truth (Osband, Van Roy 2017)."""

    def plan(known, horizon, chance):
        n, *pairs = known.means.shape
        models = [sampled(known, chance) for _ in range(draws)]
        rewards, transitions = np.stack([m[0] for m in models], 1), np.stack([m[1] for m in models], 1)
        worth = np.empty((n, horizon, *pairs), np.float32)
        best = np.zeros((n, 1, pairs[0], 1), np.float32)
        for h in reversed(range(horizon)):
            follows = transitions.reshape(n, draws, -1, pairs[0]) @ best
            worth[:, h] = (rewards + follows.reshape(rewards.shape)).max(1)
            best = worth[:, h].max(-1)[:, None, :, None]
        return worth

    return plan


def ucrl2(width: float) -> Plan:
    """As if the best model within confidence bounds were the truth, `width` as wide as Jaksch et al. (2010) proved them."""

    def plan(known, horizon, chance):
        n, states, actions = known.means.shape
        visits, time = np.maximum(known.visits, 1), 1 + known.visits.sum((1, 2), keepdims=True)
        log = np.log(2 * states * actions * time / 0.05)
        rewards = known.means + width * np.sqrt(7 * log / (2 * visits))
        apart = width * np.sqrt(14 * states * log / visits).reshape(n, 1, -1)  # sum of differences of probabilities
        shares = known.shares.reshape(n, -1, states).transpose(0, 2, 1).copy()  # [N, S next, S A]
        worth = np.empty((n, horizon, states, actions), np.float32)
        worth[:, -1] = rewards
        for h in reversed(range(horizon - 1)):
            best = worth[:, h + 1].max(-1)
            order = best.argsort(1)
            likely = shares[np.arange(n)[:, None], order]  # [N, S next, S A], the worst state first
            moved = np.minimum(apart / 2, 1 - likely[:, -1:])  # from the worst states to the best one
            likely -= np.clip(moved - (likely.cumsum(1) - likely), 0, likely)
            likely[:, -1] = 1 - likely[:, :-1].sum(1)
            worth[:, h] = rewards + (np.take_along_axis(best, order, 1)[:, None] @ likely).reshape(rewards.shape)
        return worth

    return plan


def informed(rewards: np.ndarray, transitions: np.ndarray) -> Plan:
    """As one who knows the tasks: rewards [N, S, A], transitions [N, S, A, S]."""
    return lambda known, horizon, chance: planned(rewards, transitions, horizon)
