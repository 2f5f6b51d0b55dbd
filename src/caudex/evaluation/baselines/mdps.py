"""Classical algorithms for tabular Markov decision processes of short episodes, all tasks of a batch at once.

The prior: rewards are N(mean, 1), their means N(`prior`, 1), transitions flat Dirichlet. With a prior of 1 that is how
`TabularMDPs` draws them; with 0 the rows of Duan et al. (2016, table 2) come out. Each plans anew for every episode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from caudex.evaluation.baselines.bandits import argmax_random_ties


@dataclass
class MDPPosterior:
    """Counts of what happened in N tasks, and the prior."""

    rewards: np.ndarray  # [N, S, A], sums
    visits: np.ndarray  # [N, S, A]
    next_states: np.ndarray  # [N, S, A, S], counts
    prior: float

    @property
    def means(self) -> np.ndarray:
        """Posterior means of the rewards' means, [N, S, A]; their standard deviations are 1 / sqrt(1 + visits)."""
        return (self.prior + self.rewards) / (1 + self.visits)

    @property
    def transitions(self) -> np.ndarray:
        """Posterior means of the transition probabilities, [N, S, A, S]."""
        return (1 + self.next_states) / (1 + self.next_states).sum(-1, keepdims=True)

    def select(self, mask: np.ndarray) -> MDPPosterior:
        """Some tasks alone."""
        return MDPPosterior(self.rewards[mask], self.visits[mask], self.next_states[mask], self.prior)


Planner = Callable[[MDPPosterior, int, np.random.Generator], np.ndarray]
"""(posterior, horizon H, random numbers) to Q-values [N, H, S, A], of H steps before the end of an episode to the last"""


def value_iteration(rewards: np.ndarray, transitions: np.ndarray, horizon: int) -> np.ndarray:
    """Q-values [N, H, S, A] from rewards [N, S, A] and transitions [N, S, A, S]."""
    n, states, actions = rewards.shape
    flat = transitions.reshape(n, states * actions, states)
    q_values = np.empty((n, horizon, states, actions), rewards.dtype)
    q_values[:, -1] = rewards
    for h in reversed(range(horizon - 1)):
        next_values = q_values[:, h + 1].max(-1)[..., None]  # [N, S, 1]
        q_values[:, h] = rewards + (flat @ next_values).reshape(rewards.shape)
    return q_values


class MDPPolicy:
    """Counts what happens in tabular MDPs, and acts by a plan made at the beginning of each episode; ties at random.

    Where no action came before, a trial begins and the counts are reset. `epsilon`: the probability of a random action
    instead. The state after the last step of an episode is not observed: the next episode's first state stands in its place.
    """

    def __init__(
        self, planner: Planner, states: int = 10, actions: int = 5, horizon: int = 10, prior: float = 1.0,
        epsilon: float = 0.0, seed: int = 0,
    ):  # fmt: skip
        self.planner, self.states, self.actions, self.horizon = planner, states, actions, horizon
        self.prior, self.epsilon, self.rng = prior, epsilon, np.random.default_rng(seed)
        self.posterior = None

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Actions int64 [N] from observations [N, S + A + 2] of trials."""
        state, feedback = observations[:, : self.states].argmax(1), observations[:, self.states :]
        new_trial = ~feedback[:, :-2].any(1)
        new_episode = new_trial | (feedback[:, -1] > 0)
        if self.posterior is None:
            pairs = len(state), self.states, self.actions
            counts = (np.zeros(shape, np.float32) for shape in (pairs, pairs, (*pairs, self.states)))
            self.posterior = MDPPosterior(*counts, self.prior)
            self.q_values = np.zeros((len(state), self.horizon, *pairs[1:]), np.float32)
            self.state = self.step = np.zeros(len(state), np.int64)
        self._update(feedback, state, new_trial, new_episode)
        self.state, self.step = state, np.where(new_episode, 0, self.step + 1)
        if new_episode.any():
            posterior = self.posterior.select(new_episode)
            self.q_values[new_episode] = self.planner(posterior, self.horizon, self.rng)
        actions = argmax_random_ties(self.q_values[np.arange(len(state)), self.step, state], self.rng)
        if not self.epsilon:
            return actions
        random_actions = self.rng.integers(self.actions, size=len(state))
        return np.where(self.rng.random(len(state)) < self.epsilon, random_actions, actions)

    def _update(self, feedback: np.ndarray, state: np.ndarray, new_trial: np.ndarray, new_episode: np.ndarray) -> None:
        posterior = self.posterior
        for counts in (posterior.rewards, posterior.visits, posterior.next_states):
            counts[new_trial] = 0
        pairs = np.arange(len(state)), self.state, feedback[:, :-2].argmax(1)
        posterior.rewards[pairs] += np.where(new_trial, 0, feedback[:, -2])
        posterior.visits[pairs] += ~new_trial
        posterior.next_states[(*pairs, state)] += ~new_episode


def greedy_values(posterior: MDPPosterior, horizon: int, rng: np.random.Generator) -> np.ndarray:
    """As if the posterior means were the truth."""
    return value_iteration(posterior.means, posterior.transitions, horizon)


def bayesian_exploration_bonus(bonus: float) -> Planner:
    """BEB: greedy, with bonus / (1 + visits) on each reward (Kolter and Ng 2009)."""

    def planner(posterior, horizon, rng):
        return value_iteration(posterior.means + bonus / (1 + posterior.visits), posterior.transitions, horizon)

    return planner


def psrl(posterior: MDPPosterior, horizon: int, rng: np.random.Generator) -> np.ndarray:
    """As if a sample from the posterior were the truth (Strens 2000; Osband et al. 2013)."""
    return value_iteration(*sample_model(posterior, rng), horizon)


def sample_model(posterior: MDPPosterior, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean rewards [N, S, A] and transitions [N, S, A, S] from the posterior."""
    noise = rng.standard_normal(posterior.means.shape, np.float32)
    gammas = rng.standard_gamma(1 + posterior.next_states, dtype=np.float32)
    return posterior.means + noise / np.sqrt(1 + posterior.visits), gammas / gammas.sum(-1, keepdims=True)


def opsrl(draws: int) -> Planner:
    """As if, for each state and action, the best of some samples of the posterior were the truth (Osband, Van Roy 2017)."""

    def planner(posterior, horizon, rng):
        n, *pairs = posterior.means.shape
        models = [sample_model(posterior, rng) for _ in range(draws)]
        rewards, transitions = np.stack([m[0] for m in models], 1), np.stack([m[1] for m in models], 1)
        q_values = np.empty((n, horizon, *pairs), np.float32)
        next_values = np.zeros((n, 1, pairs[0], 1), np.float32)
        for h in reversed(range(horizon)):
            future = transitions.reshape(n, draws, -1, pairs[0]) @ next_values
            q_values[:, h] = (rewards + future.reshape(rewards.shape)).max(1)
            next_values = q_values[:, h].max(-1)[:, None, :, None]
        return q_values

    return planner


def ucrl2(width: float) -> Planner:
    """As if the best model within confidence bounds were the truth, `width` as wide as Jaksch et al. (2010) proved them."""

    def planner(posterior, horizon, rng):
        n, states, actions = posterior.means.shape
        visits, time = np.maximum(posterior.visits, 1), 1 + posterior.visits.sum((1, 2), keepdims=True)
        log = np.log(2 * states * actions * time / 0.05)
        rewards = posterior.means + width * np.sqrt(7 * log / (2 * visits))
        l1_bound = width * np.sqrt(14 * states * log / visits).reshape(n, 1, -1)  # on the transition probabilities
        transitions = posterior.transitions.reshape(n, -1, states).transpose(0, 2, 1).copy()  # [N, S next, S A]
        q_values = np.empty((n, horizon, states, actions), np.float32)
        q_values[:, -1] = rewards
        for h in reversed(range(horizon - 1)):
            next_values = q_values[:, h + 1].max(-1)
            order = next_values.argsort(1)
            optimistic = transitions[np.arange(n)[:, None], order]  # [N, S next, S A], the worst state first
            moved = np.minimum(l1_bound / 2, 1 - optimistic[:, -1:])  # from the worst states to the best one
            optimistic -= np.clip(moved - (optimistic.cumsum(1) - optimistic), 0, optimistic)
            optimistic[:, -1] = 1 - optimistic[:, :-1].sum(1)
            sorted_values = np.take_along_axis(next_values, order, 1)[:, None]
            q_values[:, h] = rewards + (sorted_values @ optimistic).reshape(rewards.shape)
        return q_values

    return planner


def known_model(rewards: np.ndarray, transitions: np.ndarray) -> Planner:
    """Plans with the true model of the tasks: rewards [N, S, A], transitions [N, S, A, S]."""
    return lambda posterior, horizon, rng: value_iteration(rewards, transitions, horizon)
