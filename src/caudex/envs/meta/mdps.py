"""Tabular Markov decision processes, drawn at random."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.meta.task_family import TaskFamily, gymnasium_spaces
from caudex.envs.random_streams import RandomStreams, box_muller


class TabularMDPs(TaskFamily):
    """Rewards N(`means` [N, S, A], 1), means N(1, 1), `transitions` [N, S, A, S] flat Dirichlet, episodes of `horizon`
    steps from state 0; the state is observed one-hot (Duan et al. 2016, section 3.2; Osband et al. 2013).

    Raises CaudexError where a number is below 1.
    """

    name = "tabular-mdps"

    def __init__(self, num_tasks: int, states: int = 10, actions: int = 5, horizon: int = 10):
        if min(num_tasks, states, actions, horizon) < 1:
            raise CaudexError(
                f"{num_tasks} tabular MDPs of {states} states, {actions} actions and {horizon} steps; each number must be at "
                "least 1."
            )
        spaces = gymnasium_spaces()
        self.num_tasks, self.max_episode_steps = num_tasks, horizon
        self.observation_space, self.action_space = spaces.Box(0, 1, (states,), np.float32), spaces.Discrete(actions)
        self.means = np.zeros((num_tasks, states, actions))
        self.transitions = np.zeros((num_tasks, states, actions, states))
        self.cumulative_transitions = self.transitions.copy()
        self.state, self.rows = np.zeros(num_tasks, np.int64), np.arange(num_tasks)
        self.streams, self.one_hot = RandomStreams(num_tasks), np.eye(states, dtype=np.float32)

    def sample_tasks(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        _, states, actions = self.means.shape
        pairs = states * actions
        uniform = self.streams.seed(seeds, mask, pairs * (states + 2)).T
        normal = box_muller(uniform[:, :pairs], uniform[:, pairs : 2 * pairs])
        self.means[mask] = 1 + normal.reshape(-1, states, actions)
        exponential = -np.log1p(-uniform[:, 2 * pairs :]).reshape(-1, states, actions, states)
        self.transitions[mask] = exponential / exponential.sum(-1, keepdims=True)
        self.cumulative_transitions[mask] = self.transitions[mask].cumsum(-1)
        self.cumulative_transitions[mask, ..., -1] = 1  # whatever rounding made of it

    def reset(self, mask: np.ndarray) -> np.ndarray:
        self.state[mask] = 0
        return self.one_hot[self.state]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pairs, (first, second, third) = (self.rows, self.state, actions), self.streams.uniform(3)
        rewards = self.means[pairs] + box_muller(first, second)
        self.state = (third[:, None] >= self.cumulative_transitions[pairs]).sum(1)
        return self.one_hot[self.state], rewards, np.zeros(self.num_tasks, bool)
