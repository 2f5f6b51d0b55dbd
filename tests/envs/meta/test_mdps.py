"""Tabular MDPs are drawn as published."""

import numpy as np
import pytest

from caudex.envs.meta import trials
from caudex.envs.meta.trials import split_observations


def test_mdps_are_as_published():
    env = trials.make_trials("tabular-mdps", 2000)
    env.reset(np.arange(2000), np.ones(2000, bool))
    family = env.family
    assert family.transitions.shape == (2000, 10, 5, 10) and np.allclose(family.transitions.sum(-1), 1)
    assert family.transitions.var() == pytest.approx(9 / 1100, rel=0.02)  # flat Dirichlet: (K - 1) / (K^2 (K + 1))
    assert family.means.mean() == pytest.approx(1, abs=0.02) and family.means.std() == pytest.approx(1, abs=0.02)
    expected, means = family.transitions[:, 0, 3], family.means[:, 0, 3]
    outcome = env.step(np.full(2000, 3))
    next_states = split_observations(outcome.observations, (10,)).task_observation
    assert np.abs((next_states - expected).mean(0)).max() < 0.03
    assert (next_states * expected).sum(1).mean() == pytest.approx((expected**2).sum(1).mean(), abs=0.02)
    assert (outcome.rewards - means).std() == pytest.approx(1, abs=0.06)
