"""Bandits pay as often as their arms say."""

import numpy as np
import pytest

from caudex.envs.meta import trials


# bandits and tabular MDPs
def test_arms_pay_as_often_as_they_are_said_to():
    env = trials.make_trials("bandits", 4000, arms=2, pulls=50)
    env.reset(np.arange(4000), np.ones(4000, bool))
    total = sum(env.step(np.ones(4000, int)).rewards for _ in range(50))
    means = env.family.means[:, 1]
    assert abs(means.mean() - 1 / 2) < 0.015 and abs(means.var() - 1 / 12) < 0.004  # uniform
    variance = 50 * means * (1 - means)
    assert ((total - 50 * means) ** 2).sum() / variance.sum() == pytest.approx(1, abs=0.07)  # binomial
