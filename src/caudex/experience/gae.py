"""What a step was worth, once it is known what came behind it."""

from __future__ import annotations

import numpy as np


def gae(rewards, values, next_values, terminated, truncated, gamma: float, gae_lambda: float) -> np.ndarray:
    """Advantages [T, ...] by generalised advantage estimation (Schulman et al. 2016, equation 16).

    `values` are of the observations before each step, `next_values` of those after it, of the same episode. The sum stops
    at both ends of an episode; what follows counts at the end of the time, and not where nothing can follow.
    """
    rewards, values, next_values = (np.asarray(each, np.float32) for each in (rewards, values, next_values))
    terminated, truncated = np.asarray(terminated, bool), np.asarray(truncated, bool)
    errors = rewards + gamma * next_values * ~terminated - values
    goes_on = gamma * gae_lambda * ~(terminated | truncated)
    advantages, running = np.empty_like(errors), np.zeros_like(errors[0])
    for t in reversed(range(len(errors))):
        running = errors[t] + goes_on[t] * running
        advantages[t] = running
    return advantages


class Scale:
    """Rewards over the deviation of their discounted sum, at most `most` (Engstrom et al. 2020, section 3)."""

    def __init__(self, count: int, gamma: float, most: float = 10.0):
        self.gamma, self.most = gamma, most
        self.sums = np.zeros(count)
        self.seen, self.mean, self.squares = 1e-4, 0.0, 1e-4

    def __call__(self, rewards: np.ndarray, over: np.ndarray) -> np.ndarray:
        """[T, N]; `over` [T, N] says where an episode ends with the step. These rewards are counted first."""
        sums = np.empty_like(rewards)
        for t in range(len(rewards)):
            sums[t] = self.gamma * self.sums + rewards[t]
            self.sums = np.where(over[t], 0, sums[t])
        count, mean = sums.size, sums.mean()
        whole, apart = self.seen + count, mean - self.mean
        self.squares += float(((sums - mean) ** 2).sum() + apart**2 * self.seen * count / whole)
        self.mean, self.seen = float(self.mean + apart * count / whole), whole
        return np.clip(rewards / self.deviation, -self.most, self.most)

    @property
    def deviation(self) -> float:
        return float(np.sqrt(self.squares / self.seen + 1e-8))

    def state_dict(self) -> dict:
        return {"sums": self.sums.tolist(), "figures": [self.seen, self.mean, self.squares]}

    def load_state_dict(self, state: dict) -> None:
        self.sums = np.array(state["sums"])
        self.seen, self.mean, self.squares = state["figures"]
