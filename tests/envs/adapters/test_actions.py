"""Actions become those of their space; masks and rewards that are none are refused."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text
from helpers.space_envs import ACTIONS, AnySpace

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.specs import ActionSpec
from caudex.envs.adapters.actions import action_mask, convert_actions, reward_number

SPECS = {
    "StartsAtOne": ActionSpec(3),
    "Several": ActionSpec(counts=(2, 3)),
    "Switches": ActionSpec(counts=(2, 2, 2, 2)),
    "Whole": ActionSpec(low=(0, 0), high=(5, 5)),
    "Double": ActionSpec(low=(float(np.float32(-0.1)),) * 2, high=(float(np.float32(0.1)),) * 2),
    "Single": ActionSpec(low=(-1,), high=(1,)),
    "Matrix": ActionSpec(low=(-2,) * 4, high=(2,) * 4),
    "Unbounded": ActionSpec(low=(None, None), high=(None, None)),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_random_actions_of_each_space_are_taken(name):
    env = envs.make(f"helpers.space_envs:{name}-v0", 3)
    assert env.actions == SPECS[name]
    rows, policy = env.reset(np.arange(3), np.ones(3, bool)), envs.random_policy(env.action_space, 0)
    for _ in range(5):
        rows = env.step(policy(rows)).observations


def test_actions_are_shifted_shaped_rounded_and_kept_within_bounds():
    def native(space, *actions):
        return [np.asarray(action).tolist() for action in convert_actions("x", space).native(np.array(actions))]

    assert native(Discrete(3, start=-1), 0, 2) == [-1, 1]
    assert native(MultiDiscrete([[2], [3]], start=[[5], [7]]), [1, 2]) == [[[6], [9]]]
    assert native(Box(0, 5, (2,), np.int32), np.float32([0.4, 4.6]), np.float32([-3, 9])) == [[0, 5], [0, 5]]
    assert native(Box(-1, 1, (), np.float64), np.float32([2])) == [1.0]


@pytest.mark.parametrize("space", [Text(3), Dict(a=Discrete(2)), Box(0, 1, (0,))])
def test_other_action_spaces_name_the_wrapper_that_helps(space):
    with pytest.raises(CaudexError, match=r"gymnasium.wrappers.TransformAction"):
        convert_actions("x", space)


@pytest.mark.parametrize(
    "info, because",
    [
        ({"action_mask": np.zeros(5, np.int8)}, "forbids every action"),
        ({"action_mask": np.array([1, 0, 0, 0, 0])}, "forbids every action"),  # of the second choice
        ({"action_mask": np.ones(4)}, r"of shape \(4,\); it must have a 1 for each of 5 actions"),
        ({"action_mask": np.array([0, -np.inf, 0, 0, 0])}, "must have a 1"),
        ({"action_mask": "all"}, "must have a 1"),
        ({}, "gave no info"),
    ],
)
def test_a_mask_that_is_none_is_refused(info, because):
    with pytest.raises(CaudexError, match=because):
        action_mask("x", info, (2, 3), is_over=False)


def test_where_an_episode_is_over_nothing_need_be_allowed():
    assert (
        action_mask("x", {}, (2, 3), True).all() and action_mask("x", {"action_mask": np.zeros(5)}, (2, 3), True).all()
    )


@pytest.mark.parametrize("steps, because", [({0}, "but one when"), ({1, 2}, "but none when")])
def test_a_mask_that_comes_only_sometimes_is_refused(steps, because, monkeypatch):
    class Sometimes(AnySpace):
        def info(self):
            return {"action_mask": np.ones(2)} if self.steps in steps else {}

    monkeypatch.setitem(gymnasium.registry, "Sometimes-v0", EnvSpec("Sometimes-v0", Sometimes))
    env = envs.make("Sometimes-v0", 1)
    env.reset(np.arange(1), np.ones(1, bool))
    with pytest.raises(CaudexError, match=because):
        env.step(np.zeros(1, np.int64))


def test_a_reward_in_an_array_of_one_number_is_taken_and_no_other(monkeypatch):
    assert reward_number("x", np.array([[2.5]])) == 2.5
    for reward in (np.zeros(2), None, "much", [[1.0], [2.0]]):
        with pytest.raises(CaudexError, match="it must be one number"):
            reward_number("x", reward)
    spec = EnvSpec("ArrayReward-v0", AnySpace, kwargs={"reward": np.array([2.5])})
    monkeypatch.setitem(gymnasium.registry, "ArrayReward-v0", spec)
    env = envs.make("ArrayReward-v0", 2)
    env.reset(np.arange(2), np.ones(2, bool))
    assert env.step(np.zeros(2, np.int64)).rewards.tolist() == [2.5, 2.5]
