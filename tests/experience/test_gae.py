"""Generalised advantage estimates and scaled rewards, by hand."""

import numpy as np
from pytest import approx

from caudex.experience import RewardNormalizer, gae


def test_a_time_limit_bootstraps_and_a_death_does_not():
    # three steps; after the second the episode is cut (value of the true last observation: 4) and a new one begins
    rewards, values, after = [1, 1, 1], [0, 0, 0], [0, 4, 5]
    cut = gae(rewards, values, after, [0, 0, 0], [0, 1, 0], gamma=0.5, gae_lambda=1.0)
    assert cut == approx([2.5, 3.0, 3.5])
    dead = gae(rewards, values, after, [0, 1, 0], [0, 0, 0], gamma=0.5, gae_lambda=1.0)
    assert dead == approx([1.5, 1.0, 3.5])


def test_lambda_zero_is_one_step_and_lambda_one_the_whole_return():
    rewards, values, after = [1.0, 2.0, 3.0], [5.0, 6.0, 7.0], [6.0, 7.0, 8.0]
    assert gae(rewards, values, after, [0] * 3, [0] * 3, 0.9, 0.0) == approx([1.4, 2.3, 3.2])
    full_return = 1 + 0.9 * 2 + 0.81 * 3 + 0.729 * 8
    assert gae(rewards, values, after, [0] * 3, [0] * 3, 0.9, 1.0)[0] == approx(full_return - 5)


def test_both_conventions_for_truncation_agree():
    # SB3 adds gamma * V(last) to the reward of the step that was cut, and lets the trace end there as at a death
    rewards, values, after, cut = np.array([1.0, 2.0, 3.0]), [0.3, 0.2, 0.1], np.array([0.2, 9.0, 0.5]), [0, 1, 0]
    ours = gae(rewards, values, after, [0] * 3, cut, 0.9, 0.8)
    assert ours == approx(gae(rewards + 0.9 * after * cut, values, after, cut, [0] * 3, 0.9, 0.8))


def test_rewards_are_divided_by_the_std_of_their_discounted_sum():
    scale, rewards, over = (
        RewardNormalizer(2, 0.9),
        np.random.default_rng(0).normal(size=(500, 2)),
        np.zeros((500, 2), bool),
    )
    over[99, 0] = True
    sums = [np.zeros(2)]
    for reward_ in rewards:
        continues = [len(sums) != 101, True]  # the first episode of the first ends with step 99
        sums.append(0.9 * sums[-1] * continues + reward_)
    scaled = np.concatenate([scale(rewards[:200], over[:200]), scale(rewards[200:], over[200:])])
    assert scaled[:200] == approx(rewards[:200] / np.std(sums[1:201]), rel=1e-2)
    assert scaled[200:] == approx(rewards[200:] / np.std(sums[1:]), rel=1e-2)
