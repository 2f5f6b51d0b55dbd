"""All tasks: episodes follow from seeds, and images show what is not hidden."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.envs.control.suite import EPISODE_STEPS, TASKS, ControlEnv
from caudex.envs.random_streams import uniform_from_seeds

EACH = pytest.mark.parametrize("task", TASKS)


def reset_task(task, seeds, pixels=False):
    env = ControlEnv(task, len(seeds), pixels, size=24)
    env.reset(np.asarray(seeds), np.ones(len(seeds), bool))
    return env


# what an environment promises
@settings(max_examples=25, deadline=None)
@given(
    task=st.sampled_from(sorted(TASKS)),
    seed=st.integers(-(2**63), 2**63 - 1),
    others=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9),
    place=st.integers(0, 9),
)
def test_an_episode_follows_from_its_seed_and_its_actions(task, seed, others, place):
    place = min(place, len(others))
    alone, among = reset_task(task, [seed], True), reset_task(task, [*others[:place], seed, *others[place:]], True)
    noise = np.random.default_rng(abs(seed))
    for _ in range(12):
        actions = noise.uniform(-1.2, 1.2, (among.num_envs, among.task.num_actions)).astype(np.float32)
        one, many = alone.step(actions[place : place + 1]), among.step(actions)
        assert np.array_equal(alone.states[0], among.states[place])
        assert np.array_equal(one.observations[0], many.observations[place])
        assert one.rewards[0] == many.rewards[place]


def test_seeds_next_to_each_other_start_unlike():
    uniform = uniform_from_seeds(np.arange(-2000, 2000), 3)
    assert uniform.min() >= 0 and uniform.max() < 1
    alike = np.corrcoef([*uniform[:, :-1], *uniform[:, 1:]])  # of draws, and of neighbours
    assert np.abs(alike - np.eye(6)).max() < 0.06
    assert uniform.mean(1) == pytest.approx([0.5] * 3, abs=0.02)


@EACH
def test_episodes_are_cut_at_their_length_and_rewards_are_parts_of_one(task):
    env = reset_task(task, range(3))
    noise = np.random.default_rng(0)
    for step in range(1, EPISODE_STEPS + 1):
        outcome = env.step(noise.uniform(-1, 1, (3, env.task.num_actions)).astype(np.float32))
        assert outcome.rewards.dtype == np.float64 and (outcome.rewards >= 0).all() and (outcome.rewards <= 1).all()
        assert not outcome.terminated.any() and (outcome.truncated == (step == EPISODE_STEPS)).all()
        assert env.observation_space.contains(outcome.observations[0])
        assert np.array_equal(outcome.observations, env.states)
    assert len(env.component_names) == len(set(env.component_names)) == len(env.component_kinds) == env.states.shape[1]
    assert set(env.component_kinds) <= {"position", "velocity", "contact", "target"} and set(
        env.hidden_components
    ) <= set(env.component_names)
    assert env.render().shape == (256, 256, 3)


def test_only_those_begin_anew_that_are_told_to():
    env = reset_task("reacher", [1, 2, 3])
    for _ in range(EPISODE_STEPS // 2):
        before = env.step(np.ones((3, 2), np.float32)).observations
    after = env.reset(np.array([7, 2, 8]), np.array([False, True, False]))
    assert np.array_equal(after[[0, 2]], before[[0, 2]])
    assert np.array_equal(after[1], reset_task("reacher", [2]).states[0])
    for _ in range(EPISODE_STEPS // 2):
        cut = env.step(np.zeros((3, 2), np.float32)).truncated
    assert cut.tolist() == [True, False, True]


# what the images show
@EACH
def test_the_image_shows_what_is_not_hidden_and_nothing_else(task):
    env = reset_task(task, [4], True)
    if "glimpse" in task:
        env.steps[:] = 10
    if "band" in task:
        env.body[:2] = 0
    if "cloud" in task:
        env.body[2:4] = [[0.0], [0.5]]
    before = env.observe()
    assert before.dtype == np.uint8 and before.shape == (1, 1, 24, 24) and np.array_equal(before, env.observe())
    for row, (part, kind) in enumerate(env.task.components.items()):
        body = env.body.copy()
        env.body[row] += 0.05
        changed = not np.array_equal(env.observe(), before)
        env.body = body
        assert changed == (kind in ("position", "angle", "target") and part not in env.task.hidden_components), part


def test_a_target_is_hidden_only_after_the_glimpses_and_a_ball_only_in_the_cloud():
    reacher, ball = reset_task("reacher-glimpse", [4], True), reset_task("keep-up-cloud", [4], True)
    ball.body[3] = -0.3
    for env, row in ((reacher, 4), (ball, 2)):
        before = env.observe()
        env.body[row] *= -1
        assert not np.array_equal(env.observe(), before)


# what is refused
def test_an_unknown_task_names_the_nearest():
    with pytest.raises(CaudexError, match=r"Did you mean cartpole-swingup\? Known: pendulum-swingup, "):
        ControlEnv("cartpole-swing-up", 1)


def test_wrong_actions_and_no_environments_are_refused():
    env = ControlEnv("reacher", 2)
    for wrong in (np.zeros((2, 1)), np.full((2, 2), np.nan)):
        with pytest.raises(CaudexError, match=r"reacher takes finite actions \[2, 2\]"):
            env.step(wrong)
    with pytest.raises(CaudexError, match="at least 1"):
        ControlEnv("reacher", 0)
