"""The replay buffer gives back the transitions that were played."""

import pytest
from helpers.environments import ClockWithLives, clock_replay
from pytest import approx

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.experience import EnvRunner, ReplaySource
from caudex.signals.q_learning import QLearning
from caudex.trunks import Identity

# -- replay --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("priority", [0.0, 0.5])
def test_stored_transitions_are_those_that_were_played(steps, priority):
    replay = clock_replay(n_step=steps, priority=priority)
    for _ in range(60):  # the memory is overwritten several times
        batch = next(replay)
    for (seed, time), reward_, after, discount in zip(
        *(part.numpy() for part in (batch[0], batch[2], batch[3], batch[4]))
    ):
        end = 3 if seed % 2 == 0 else 4
        played_steps = int(min(steps, end - time))
        assert reward_ == approx(sum(0.5**k * (time + k + 1) for k in range(played_steps)))
        dead = time + played_steps == end == 3
        assert discount == (0 if dead else 0.5**played_steps)
        if not dead:
            assert tuple(after) == (seed, time + played_steps)  # the true last observation, also where the time was up


def test_a_stack_is_put_together_from_frames_that_are_kept_once():
    replay = clock_replay(images=True, frame_stack=3)
    assert replay.buffer.frames.shape == (30, 2, 1, 2, 2)
    for _ in range(40):
        batch = next(replay)
    for before, after in zip(batch.observations[:, :, 0, 0].tolist(), batch.next_observations[:, :, 0, 0].tolist()):
        assert before == [max(0, before[-1] - 2), max(0, before[-1] - 1), before[-1]]
        assert after in (
            [before[1], before[2], before[2] + 1],
            [0, 0, 0],
        )  # behind a death stands what counts for nothing


def test_as_many_steps_are_played_as_asked_for_each_batch():
    replay = clock_replay(train_freq=4)
    next(replay)
    before = replay.samples_seen
    for _ in range(30):
        next(replay)
    assert replay.samples_seen - before == approx(120, abs=4)


def test_a_replay_buffer_that_does_not_fit_is_refused_before_anything_is_done():
    with pytest.raises(CaudexError, match=r"--buffer-size 1,000,000,000,000,000 needs .* GiB of memory"):
        clock_replay(buffer_size=10**15)


# -- killed and gone on --------------------------------------------------------------------------------------------


def test_a_lost_life_ends_the_return_and_not_the_episode():
    learner = Learner(Identity(2), {"policy": QLearning(2)})
    replay = ReplaySource(
        runner := EnvRunner(ClockWithLives(1), 0), learner, "policy", 200, 64, 100, gamma=0.5, n_step=2
    )
    batch = next(replay)
    before, sums = batch.observations[:, 1], batch.rewards
    assert runner.metrics()["episodes/length"] > 2 and runner.metrics() == {}
    assert sums[before == 0].tolist() == approx([1 + 0.5 * 2] * int((before == 0).sum()))  # up to the loss
    assert sums[before == 1].tolist() == approx([2.0] * int((before == 1).sum()))
    assert (batch.discounts[before <= 1] == 0).all() and (batch.observations[before == 2, 1] == 2).all()
