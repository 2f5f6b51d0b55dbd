"""Rewards divided by the standard deviation of the discounted return."""

from __future__ import annotations

from typing import Annotated, TypedDict

import numpy as np
from msgspec import Meta

from caudex.core.typed_json import Amount, Finite, check_kind


class NormalizerState(TypedDict):
    returns: list[Finite]
    statistics: tuple[Annotated[float, Meta(gt=0, le=1e30)], Finite, Amount]


class RewardNormalizer:
    """Divides rewards by the standard deviation of the discounted return, and clips them to [-clip, clip] (Engstrom et al.
    2020, section 3)."""

    def __init__(self, num_envs: int, gamma: float, clip: float = 10.0):
        self.gamma, self.clip = gamma, clip
        self.returns = np.zeros(num_envs)  # discounted, so far
        self.count, self.mean, self.sum_squares = 1e-4, 0.0, 1e-4

    def __call__(self, rewards: np.ndarray, dones: np.ndarray) -> np.ndarray:
        """[T, N]; `dones` [T, N]: an episode ends with the step. The statistics are updated with these rewards first."""
        returns = np.empty_like(rewards)
        for t in range(len(rewards)):
            returns[t] = self.gamma * self.returns + rewards[t]
            self.returns = np.where(dones[t], 0, returns[t])
        count, mean = returns.size, returns.mean()
        total, shift = self.count + count, mean - self.mean
        self.sum_squares += float(((returns - mean) ** 2).sum() + shift**2 * self.count * count / total)
        self.mean, self.count = float(self.mean + shift * count / total), total
        return np.clip(rewards / self.std, -self.clip, self.clip)

    @property
    def std(self) -> float:
        return float(np.sqrt(self.sum_squares / self.count + 1e-8))

    def state_dict(self) -> dict:
        return {"returns": self.returns.tolist(), "statistics": [self.count, self.mean, self.sum_squares]}

    def load_state_dict(self, state: dict) -> None:
        if len(check_kind(state, NormalizerState)["returns"]) != len(self.returns):
            raise ValueError(f"{len(state['returns'])} returns instead of {len(self.returns)}")
        self.returns = np.array(state["returns"])
        self.count, self.mean, self.sum_squares = state["statistics"]
