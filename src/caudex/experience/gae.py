"""Generalised advantage estimation."""

from __future__ import annotations

import numpy as np


def gae(rewards, values, next_values, terminated, truncated, gamma: float, gae_lambda: float) -> np.ndarray:
    """Generalised advantage estimates, float32 [T, ...] (Schulman et al. 2016, equation 16).

    `values` are of the observations before each step, `next_values` of those after it, of the same episode. A truncated step
    bootstraps from `next_values`, a terminated one does not; neither lets the sum run on.
    """
    rewards, values, next_values = (np.asarray(array, np.float32) for array in (rewards, values, next_values))
    terminated, truncated = np.asarray(terminated, bool), np.asarray(truncated, bool)
    td_errors = rewards + gamma * next_values * ~terminated - values
    decay = gamma * gae_lambda * ~(terminated | truncated)
    advantages, running = np.empty_like(td_errors), np.zeros_like(td_errors[0])
    for t in reversed(range(len(td_errors))):
        running = td_errors[t] + decay[t] * running
        advantages[t] = running
    return advantages
