"""Baselines of every family of tasks."""

import numpy as np
import pytest
from helpers.baselines import assert_means_agree

from caudex.envs.meta import trials
from caudex.envs.meta.trials import play_trials
from caudex.evaluation.baselines import classical_policies


@pytest.mark.parametrize(
    "name, sizes, ends, published",  # of Duan et al. 2016, tables 1 and 2
    [
        ("bandits", {"arms": 5, "pulls": 100}, (9, 99), (5.0, 49.9)),
        ("bandits", {"arms": 10, "pulls": 100}, (9, 99), (5.0, 49.9)),
        ("bandits", {"arms": 50, "pulls": 100}, (9, 99), (5.1, 49.8)),
        ("tabular-mdps", {"episodes": 25}, (9, 24), (100.1, 250.2)),
    ],
)
def test_at_random_one_earns_what_was_published(name, sizes, ends, published):
    env = trials.make_trials(name, 600, **sizes)
    returns = play_trials(env, classical_policies(env)["random"], np.arange(600)).returns.cumsum(1)
    for end, figure in zip(ends, published):
        assert_means_agree(returns[:, end], figure)


def test_baselines_fit_the_size_of_the_tasks():
    env, returns = trials.make_trials("tabular-mdps", 1000, states=3, actions=2, horizon=4, episodes=5), {}
    for name, act in classical_policies(env, 1).items():
        returns[name] = play_trials(env, act, np.arange(1000)).returns.sum(1).mean()
    assert returns.pop("random") == pytest.approx(4 * 5, abs=0.8)  # rewards are 1 in the mean
    assert min(returns.values()) > 24
