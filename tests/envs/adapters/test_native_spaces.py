"""Spaces as an environment has them, kept as JSON: the same rows come of the same observations, alone and several at once."""

import gymnasium
import msgspec
import numpy as np
import pytest
from gymnasium.vector.utils import batch_space
from helpers.space_envs import ACTIONS, OBSERVATIONS, env_name

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.specs import EnvSpec
from caudex.envs.adapters.native_spaces import NativeSpaces
from caudex.envs.adapters.space_specs import space_spec


def spec_of(env: envs.Env) -> EnvSpec:
    native = map(space_spec, env.native_spaces)
    spec = EnvSpec("e", env.observation_space.shape, env.actions, 1, {}, env.layout, env.ignored_texts, *native)
    return msgspec.json.decode(msgspec.json.encode(spec), type=EnvSpec)


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_rows_are_those_of_the_environment(name):
    env, space = envs.make(env_name(name), 1), OBSERVATIONS[name]
    native, samples = NativeSpaces(spec_of(env)), [space.sample() for _ in range(3)]
    rows = [env.convert(sample, {}) for sample in samples]
    for sample, row in zip(samples, rows):
        converted, is_batch = native.to_rows(sample)
        assert not is_batch and converted.dtype == env.observation_space.dtype and np.array_equal(converted, row[None])
    batch = gymnasium.vector.utils.concatenate(space, samples, gymnasium.vector.utils.create_empty_array(space, 3))
    several, is_batch = native.to_rows(batch)
    assert is_batch and np.array_equal(several, np.stack(rows))
    assert batch_space(space, 3)  # what vector environments of Gymnasium show


@pytest.mark.parametrize("name", ACTIONS)
def test_actions_are_those_of_the_environment(name):
    env = envs.make(env_name(name), 2)
    native, policy = NativeSpaces(spec_of(env)), envs.random_policy(env.action_space, 0)
    actions = native.to_native(policy(np.zeros((4, 3))))
    assert len(actions) == 4 and all(ACTIONS[name].contains(action) for action in actions)


def test_masks_come_as_an_argument_or_in_the_observation():
    env = envs.make(env_name("Forbidding"), 1)
    native, observation, mask = NativeSpaces(spec_of(env)), np.ones(3, np.float32), np.array([0, 1, 0, 1])
    row = native.to_rows(observation, mask)[0]
    assert row[0, -4:].tolist() == mask.tolist()
    two = np.stack([observation, observation])
    assert native.to_rows(two, np.stack([mask, mask]))[0].tolist() == [row[0].tolist()] * 2
    assert native.to_rows(observation)[0][0, -4:].tolist() == [1, 1, 1, 1]  # as where nothing is forbidden
    nested = NativeSpaces(spec_of(envs.make(env_name("ForbiddingSeveral"), 1)))
    shown = OBSERVATIONS["Nested"].sample()
    masks = (np.array([1, 0]), np.array([0, 1, 1]))
    assert np.array_equal(nested.to_rows(shown | {"action_mask": masks})[0], nested.to_rows(shown, masks)[0])
    with pytest.raises(CaudexError, match="4 action_masks for 2 observations"):
        native.to_rows(two, mask)
    with pytest.raises(CaudexError, match="forbids every action"):
        native.to_rows(observation, np.zeros(4))


@pytest.mark.parametrize(
    ("name", "observation", "message"),
    [
        ("Vector", np.zeros(4), r"an observation, shape \(4,\), is not one of e, which shows Box"),
        ("Vector", (np.zeros(3), {}), "tuple of arrays that differ in shape, is not one of e"),
        ("Vector", np.zeros((2, 2, 3)), "give one as the environment returns it, or several"),
        ("Vector", np.full(3, np.nan), "no finite number"), ("Number", 1, "showed an observation 1"),
        ("Nested", {"camera": 3}, "with the parts"), ("Vectors", {"a": np.zeros((3, 2)), "b": 1}, "give as many of each"),
    ],
)  # fmt: skip
def test_other_observations_are_refused(name, observation, message):
    native = NativeSpaces(spec_of(envs.make(env_name(name), 1)))
    with pytest.raises(CaudexError, match=message):
        native.to_rows(observation)
