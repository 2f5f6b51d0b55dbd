"""Atari: exact resuming, no-op starts and lost lives."""

import numpy as np
import pytest

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.experience import EnvRunner


def test_atari_resumes_exactly_and_returns_the_last_frame_of_a_game():
    one, other = (EnvRunner(envs.make("ALE/Pong-v5", 2), 1, frame_stack=4) for _ in range(2))
    rng = np.random.default_rng(0)
    for actions in rng.integers(0, 6, (50, 2)):
        one.step(actions)
    other.load_state_dict(one.state_dict())
    for actions in rng.integers(0, 6, (30, 2)):
        assert np.array_equal(one.step(actions).next_observations, other.step(actions).next_observations)
    assert one.observations.shape == (2, 4, 84, 84) and len(np.unique(one.observations)) > 3
    with pytest.raises(CaudexError, match=r"Did you mean ALE/Pong-v5\?"):
        envs.make("ALE/Pomg-v5", 1)


def test_atari_of_2015_begins_with_no_ops_and_reports_lost_lives():
    one, other = (EnvRunner(envs.make("ALE/Breakout-v4", 1), 1, frame_stack=4) for _ in range(2))
    rng, lost = np.random.default_rng(0), 0
    while not one.finished_episodes:
        lost += int(one.step(rng.integers(0, 4, 1)).terminated[0])
    assert lost == 5  # all lives of one game
    other.load_state_dict(one.state_dict())
    for actions in rng.integers(0, 4, (10, 1)):
        assert np.array_equal(one.step(actions).next_observations, other.step(actions).next_observations)
    for version, kinds in (("v4", 3), ("v5", 1)):
        env = envs.make(f"ALE/Freeway-{version}", 3)
        env.reset(np.arange(3), np.ones(3, bool))
        for _ in range(20):
            observations = env.step(np.zeros(3, np.int64)).observations
        assert len({frame.tobytes() for frame in observations}) == kinds  # the same seconds of waiting, or other ones
    with pytest.raises(CaudexError, match="is no game of ale-py"):
        envs.make("ALE/Pong-v3", 1)
