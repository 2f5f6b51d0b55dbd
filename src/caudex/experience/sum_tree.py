"""Draw what surprised most more often: a tree of sums."""

from __future__ import annotations

import numpy as np


class Priorities:
    """Weights of `size` places; `draw` takes places by their share of the sum, in strata.

    Source: Schaul et al. 2016, section 3.3 and appendix B.2.1. A leaf's weight is (error + small) ** power.
    """

    def __init__(self, size: int, power: float, least: float = 1e-6):
        self.size, self.power, self.least, self.highest = size, power, least, 1.0
        self.depth = max(1, int(np.ceil(np.log2(size))))
        self.sums = np.zeros(2 << self.depth)  # node i has the children 2i and 2i + 1; leaves begin at 1 << depth

    @property
    def total(self) -> float:
        return float(self.sums[1])

    @property
    def leaves(self) -> np.ndarray:
        return self.sums[1 << self.depth :][: self.size]

    def load(self, leaves: np.ndarray, highest: float) -> None:
        self.sums[1 << self.depth :][: self.size] = leaves
        for depth in reversed(range(self.depth)):
            nodes = np.arange(1 << depth, 2 << depth)
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]
        self.highest = highest

    def put(self, places: np.ndarray, errors: np.ndarray | float | None) -> None:
        """None: new ones, as likely as the likeliest was. 0.0 alone: never drawn."""
        if errors is None:
            weights = np.full(len(places), self.highest)
        elif isinstance(errors, float):
            weights = np.zeros(len(places))
        else:
            weights = (np.asarray(errors, np.float64) + self.least) ** self.power
            self.highest = max(self.highest, float(weights.max()))
        nodes = places + (1 << self.depth)
        self.sums[nodes] = weights
        for _ in range(self.depth):
            nodes = np.unique(nodes >> 1)
            self.sums[nodes] = self.sums[2 * nodes] + self.sums[2 * nodes + 1]

    def draw(self, generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Places int64 [count], and their shares of the sum."""
        marks = (np.arange(count) + generator.random(count)) * self.total / count
        nodes = np.ones(count, np.int64)
        for _ in range(self.depth):
            left = self.sums[2 * nodes]
            right = (marks >= left) & (self.sums[2 * nodes + 1] > 0)
            marks, nodes = np.where(right, marks - left, marks), 2 * nodes + right
        return nodes - (1 << self.depth), self.sums[nodes] / self.total
