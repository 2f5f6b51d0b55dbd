"""Tabular Markov decision processes, drawn at random."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.meta.task_family import Family, spaces
from caudex.envs.random_streams import Streams, normal


class TabularMDPs(Family):
    """Rewards N(`means` [N, S, A], 1), means N(1, 1), `transitions` [N, S, A, S] flat Dirichlet, episodes of `horizon`
    steps from state 0; the state is seen one-hot (Duan et al. 2016, section 3.2; Osband et al. 2013).

    Raises CaudexError where a number is below 1.
    """

    name = "tabular-mdps"

    def __init__(self, count: int, states: int = 10, actions: int = 5, horizon: int = 10):
        if min(count, states, actions, horizon) < 1:
            raise CaudexError(
                f"{count} tabular MDPs of {states} states, {actions} actions and {horizon} steps; each number must be at "
                "least 1."
            )
        self.count, self.limit = count, horizon
        self.observation, self.action = spaces().Box(0, 1, (states,), np.float32), spaces().Discrete(actions)
        self.means = np.zeros((count, states, actions))
        self.transitions = np.zeros((count, states, actions, states))
        self.upto = self.transitions.copy()  # sums of the transitions
        self.state = np.zeros(count, np.int64)
        self.chance, self.rows, self.one_hot = Streams(count), np.arange(count), np.eye(states, dtype=np.float32)

    def sample(self, seeds: np.ndarray, which: np.ndarray) -> None:
        _, states, actions = self.means.shape
        pairs = states * actions
        numbers = self.chance.begin(seeds, which, pairs * (states + 2)).T
        self.means[which] = 1 + normal(numbers[:, :pairs], numbers[:, pairs : 2 * pairs]).reshape(-1, states, actions)
        shares = -np.log1p(-numbers[:, 2 * pairs :]).reshape(-1, states, actions, states)
        self.transitions[which] = shares / shares.sum(-1, keepdims=True)
        self.upto[which] = self.transitions[which].cumsum(-1)
        self.upto[which, ..., -1] = 1  # whatever rounding made of it

    def begin(self, which: np.ndarray) -> np.ndarray:
        self.state[which] = 0
        return self.one_hot[self.state]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        here, (first, second, where) = (self.rows, self.state, actions), self.chance.draw(3)
        rewards = self.means[here] + normal(first, second)
        self.state = (where[:, None] >= self.upto[here]).sum(1)
        return self.one_hot[self.state], rewards, np.zeros(self.count, bool)
