"""Acting: the ends of episodes, stacked frames, and exact resuming."""

import numpy as np
import pytest
from helpers.environments import Clock
from hypothesis import given
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.experience import EnvRunner


def test_an_episode_begins_where_one_has_ended_and_its_last_observation_is_returned():
    runner = EnvRunner(Clock(3), seed=1)
    seeds, lives = runner.observations[:, 0].copy(), []
    for step in range(1, 5):
        step_result = runner.step(np.zeros(3, np.int64))
        lives.append(step_result)
        if not step_result.dones.any():
            assert (step_result.next_observations[:, 1] == step).all() and (
                runner.observations == step_result.next_observations
            ).all()
    for i, seed in enumerate(seeds):
        length = 3 if seed % 2 == 0 else 4
        end = lives[length - 1]
        assert end.terminated[i] == (length == 3) and end.truncated[i] == (length == 4) and end.dones[i]
        assert tuple(end.next_observations[i]) == (seed, length)
    ended = {place: (total, length) for place, total, length in runner.finished_episodes[:3]}
    assert all(total == length * (length + 1) / 2 for total, length in ended.values())


def test_the_first_frame_of_an_episode_fills_the_stack():
    runner = EnvRunner(Clock(1, images=True), seed=1, frame_stack=3)
    assert runner.observation_shape == (3, 2, 2)
    frames = []
    for _ in range(6):
        frames.append(runner.observations[0, :, 0, 0].tolist())
        step_result = runner.step(np.zeros(1, np.int64))
    assert step_result.next_observations.shape == (1, 3, 2, 2) and frames[:3] == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]
    assert [0, 0, 0] in frames[3:]


@given(steps=st.integers(0, 11), count=st.integers(1, 4))
def test_acting_goes_on_exactly(steps, count):
    one, other = EnvRunner(Clock(count), seed=3), EnvRunner(Clock(count), seed=3)
    for _ in range(steps):
        one.step(np.zeros(count, np.int64))
    other.load_state_dict(one.state_dict())
    for _ in range(6):
        a, b = (runner.step(np.zeros(count, np.int64)) for runner in (one, other))
        assert all(np.array_equal(x, y) for x, y in zip(a, b))
    assert one.finished_episodes == other.finished_episodes


def test_an_environment_that_changed_or_has_other_numbers_is_refused():
    state = EnvRunner(Clock(2), seed=3).state_dict()
    with pytest.raises(CaudexError, match="has 2 environments, not 3; environments must be 2 again"):
        EnvRunner(Clock(3), seed=3).load_state_dict(state)
    with pytest.raises(CaudexError, match="it has changed, begin a new run"):
        EnvRunner(Clock(2, images=True), seed=3).load_state_dict(state)
    other = EnvRunner(Clock(2), seed=3)
    other.env.offset = 0.5
    with pytest.raises(CaudexError, match="does not repeat itself"):
        other.load_state_dict(state)


def test_a_reward_that_is_no_number_stops_the_run_in_a_sentence():
    runner = EnvRunner(Clock(1), seed=3)
    runner.env.offset = np.nan
    with pytest.raises(CaudexError, match="no finite number after 1 steps"):
        runner.step(np.zeros(1, np.int64))


def test_an_episode_that_is_cut_was_not_lost_and_the_next_one_begins():
    runner = EnvRunner(Clock(2), seed=3, max_episode_steps=2)
    for _ in range(2):
        step_result = runner.step(np.zeros(2, np.int64))
    assert step_result.truncated.all() and step_result.dones.all() and not step_result.terminated.any()
    assert runner.observations[:, 1].tolist() == [0, 0] and step_result.next_observations[:, 1].tolist() == [2, 2]
