"""Trials: several episodes of one task, whose ends are no ends."""

import numpy as np
import pytest
import torch

from caudex.core.errors import CaudexError
from caudex.envs.meta import trials
from caudex.envs.meta.trials import play_trials, split_observations
from caudex.experience import EnvRunner, gae

NAMES = {
    "bandits": {"arms": 3, "pulls": 6},
    "tabular-mdps": {"episodes": 2, "horizon": 4},
    "mazes": {"episodes": 2},
}

EACH = pytest.mark.parametrize("name", NAMES)


# trials
def test_what_came_before_is_seen_and_only_the_trials_end_is_an_end():
    env = trials.make_trials("tabular-mdps", 2, states=3, actions=2, horizon=2, episodes=2)
    first = env.reset(np.arange(2), np.ones(2, bool))
    assert np.array_equal(first, [[1, 0, 0, 0, 0, 0, 0]] * 2)  # state 0; no action, no reward, no end
    for step in range(1, 5):
        shown, rewards, terminated, truncated, *_ = env.step(np.array([1, 0]))
        state, feedback = split_observations(shown, (3,))
        assert np.array_equal(feedback[:, :2], [[0, 1], [1, 0]])
        assert np.array_equal(feedback[:, 2], rewards.astype(np.float32))
        assert (feedback[:, 3] == (step % 2 == 0)).all() and (env.episode_done == (step % 2 == 0)).all()
        if step == 2:
            assert (state.argmax(1) == 0).all()  # the next episode has begun
        assert (terminated == (step == 4)).all() and not truncated.any()


@EACH
def test_a_trial_follows_from_its_seed_and_actions_whoever_is_beside_it(name):
    together, alone = trials.make_trials(name, 3, **NAMES[name]), trials.make_trials(name, 1, **NAMES[name])
    actions = np.random.default_rng(0).integers(together.num_actions, size=(9, 3))
    together.reset(np.array([5, 6, 7]), np.ones(3, bool))
    for step in range(4):
        together.step(actions[step])
    observations = together.reset(np.array([0, 8, 0]), np.array([False, True, False]))
    assert np.array_equal(observations[1:2], alone.reset(np.array([8]), np.ones(1, bool)))
    for step in range(4, 9):
        both, one = together.step(actions[step]), alone.step(actions[step, 1:2])
        assert np.array_equal(both.observations[1:2], one.observations) and both.rewards[1] == one.rewards[0]


@EACH
def test_all_episodes_of_a_trial_have_one_task_and_no_test_has_it(name):
    env = trials.make_trials(name, 2, **NAMES[name])
    of = {"bandits": "means", "tabular-mdps": "transitions", "mazes": "walls"}[name]
    env.reset(np.arange(2), np.ones(2, bool))
    task = getattr(env.family, of).copy()
    while not env.step(np.zeros(2, int)).terminated.any():
        assert np.array_equal(getattr(env.family, of), task)
    assert not np.array_equal(task[0], task[1])
    tests = trials.make_trials(name, 2, test=True, **NAMES[name])
    tests.reset(np.arange(2), np.ones(2, bool))
    assert not np.array_equal(getattr(tests.family, of)[0], task[0])


def test_rewards_count_through_the_ends_of_episodes_and_not_beyond_the_trial():
    runner = EnvRunner(trials.make_trials("bandits", 4, arms=2, pulls=5), 0)
    step_result = [runner.step(np.zeros(4, int)) for _ in range(10)]
    parts = [np.stack([getattr(each, part) for each in step_result]) for part in ("rewards", "terminated", "truncated")]
    nothing = np.zeros((10, 4))
    advantages = gae(parts[0], nothing, nothing, *parts[1:], gamma=1.0, gae_lambda=1.0)
    assert np.array_equal(advantages[0], parts[0][:5].sum(0)) and np.array_equal(advantages[5], parts[0][5:].sum(0))
    assert runner.metrics()["episodes/length"] == 5


@EACH
def test_acting_in_trials_resumes_exactly(name):
    env = trials.make_trials(name, 3, **NAMES[name])
    runner, chance = EnvRunner(env, 1), np.random.default_rng(2)
    for _ in range(11):
        runner.step(chance.integers(env.num_actions, size=3))
    again = EnvRunner(trials.make_trials(name, 3, **NAMES[name]), 1)
    again.load_state_dict(runner.state_dict())
    for _ in range(11):
        actions = chance.integers(env.num_actions, size=3)
        one, other = runner.step(actions), again.step(actions)
        assert np.array_equal(one.next_observations, other.next_observations) and np.array_equal(
            one.rewards, other.rewards
        )


def test_an_image_and_the_numbers_beside_it_come_back_whole():
    env = trials.make_trials("mazes", 3)
    env.reset(np.arange(3), np.ones(3, bool))
    outcome = env.step(np.array([0, 1, 2]))
    assert outcome.observations.dtype == np.uint8
    shape = env.family.observation_space.shape
    for observations in (outcome.observations, torch.from_numpy(outcome.observations)[None]):
        shown, feedback = split_observations(observations, shape)
        assert np.array_equal(np.asarray(shown).reshape(3, *shape), env.family._observe())
        numbers = np.asarray(feedback).reshape(3, 5)
        assert np.array_equal(numbers[:, :3], np.eye(3)) and np.array_equal(numbers[:, 3], np.float32(outcome.rewards))


def test_play_returns_each_episode():
    env = trials.make_trials("bandits", 500, arms=1, pulls=3)
    played = play_trials(env, lambda observations: np.zeros(500, int), np.arange(500))
    assert (played.lengths == 1).all() and np.array_equal(played.returns, played.last_rewards)
    env.reset(np.arange(500), np.ones(500, bool))
    assert np.array_equal(played.returns[:, 0], env.step(np.zeros(500, int)).rewards)


@pytest.mark.parametrize("actions", [[0, 3], [-1, 0], [0], [0.0, 1.0]])
def test_actions_that_are_none_are_refused(actions):
    env = trials.make_trials("bandits", 2, arms=3)
    env.reset(np.arange(2), np.ones(2, bool))
    with pytest.raises(CaudexError, match="whole numbers from 0 to 2"):
        env.step(np.array(actions))


@pytest.mark.parametrize(
    "name, settings, reason",
    [
        ("bandits", {"pulls": 5.5}, r"bandits with pulls 5\.5: it must be a whole number"),
        ("tabular-mdps", {"states": "3"}, "tabular-mdps with states '3': it must be a whole number"),
        ("mazes", {"size": 3}, "mazes with size 3: it must be a word"),
        ("package:function", {"limit": 1.0}, r"package:function with limit 1\.0: it must be a whole number"),
    ],
)
def test_settings_of_another_type_are_refused(name, settings, reason):
    with pytest.raises(CaudexError, match=reason):
        trials.make_trials(name, 2, **settings)
