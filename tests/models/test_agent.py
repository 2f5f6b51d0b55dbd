"""Agents play episodes: as many in each environment, and none without end."""

import numpy as np
from helpers.environments import Clock

from caudex import envs
from caudex.experience import episode_returns, random_returns


def test_every_environment_plays_the_same_number_of_episodes(monkeypatch):
    monkeypatch.setattr(envs, "make", lambda name, num_envs, renderable=False: Clock(num_envs))
    returns = episode_returns("clock", lambda observations: np.zeros(len(observations), np.int64), count=25, seed=0)
    assert len(returns) == 25 and set(returns) <= {6.0, 10.0}
    assert len(random_returns("clock", 3, 0)) == 3
    monkeypatch.setattr(Clock, "max_episode_steps", 2)  # as games of Atari have it
    assert set(random_returns("clock", 3, 0)) == {1.0 + 2.0}
