"""Agents play episodes: as many in each environment, and none without end."""

import numpy as np
from helpers.environments import Clock

from caudex import envs as envs
from caudex.models.agent import at_random, played


def test_every_environment_plays_the_same_number_of_episodes(monkeypatch):
    monkeypatch.setattr(envs, "make", lambda name, count, shown=False: Clock(count))
    returns = played("clock", lambda observations: np.zeros(len(observations), np.int64), episodes=25, seed=0)
    assert len(returns) == 25 and set(returns) <= {6.0, 10.0}
    assert len(at_random("clock", 3, 0)) == 3
    monkeypatch.setattr(Clock, "longest", 2)  # as games of Atari have it
    assert set(at_random("clock", 3, 0)) == {1.0 + 2.0}
