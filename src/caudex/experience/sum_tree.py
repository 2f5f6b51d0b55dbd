"""A sum tree: prioritised sampling in logarithmic time."""

from __future__ import annotations

import numpy as np


class SumTree:
    """Priorities of `size` slots; `sample` takes slots by their share of the sum, stratified.

    Source: Schaul et al. 2016, section 3.3 and appendix B.2.1. A leaf's priority is (error + epsilon) ** alpha.
    """

    def __init__(self, size: int, alpha: float, epsilon: float = 1e-6):
        self.size, self.alpha, self.epsilon, self.max_priority = size, alpha, epsilon, 1.0
        self.depth = max(1, int(np.ceil(np.log2(size))))
        self.sums = np.zeros(2 << self.depth)  # node i has the children 2i and 2i + 1; leaves begin at 1 << depth

    @property
    def total(self) -> float:
        return float(self.sums[1])

    @property
    def leaves(self) -> np.ndarray:
        return self.sums[1 << self.depth :][: self.size]

    def load(self, leaves: np.ndarray, max_priority: float) -> None:
        self.sums[1 << self.depth :][: self.size] = leaves
        for depth in reversed(range(self.depth)):
            nodes = np.arange(1 << depth, 2 << depth)
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]
        self.max_priority = max_priority

    def update(self, slots: np.ndarray, errors: np.ndarray | float | None) -> None:
        """None: new slots, with the highest priority so far. 0.0 alone: never sampled."""
        if errors is None:
            priorities = np.full(len(slots), self.max_priority)
        elif isinstance(errors, float):
            priorities = np.zeros(len(slots))
        else:
            priorities = (np.asarray(errors, np.float64) + self.epsilon) ** self.alpha
            self.max_priority = max(self.max_priority, float(priorities.max()))
        nodes = slots + (1 << self.depth)
        self.sums[nodes] = priorities
        for _ in range(self.depth):
            nodes = np.unique(nodes >> 1)
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]

    def sample(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Slots int64 [count], and their probabilities."""
        marks = (np.arange(count) + rng.random(count)) * self.total / count
        nodes = np.ones(count, np.int64)
        for _ in range(self.depth):
            left = self.sums[2 * nodes]
            goes_right = (marks >= left) & (self.sums[2 * nodes + 1] > 0)
            marks, nodes = np.where(goes_right, marks - left, marks), 2 * nodes + goes_right
        return nodes - (1 << self.depth), self.sums[nodes] / self.total
