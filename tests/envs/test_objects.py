"""Environments given as Python objects."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

from caudex import envs
from caudex.core.errors import CaudexError


class Doubled(gymnasium.RewardWrapper):
    """Cannot be made again: it does not record its arguments."""

    def reward(self, reward):
        return 2 * reward


def test_what_gymnasium_made_is_made_again_and_acts_side_by_side():
    env = gymnasium.make("CartPole-v1", max_episode_steps=30, sutton_barto_reward=True)
    name = envs.name_env(env)
    assert name.startswith("<CartPole-v1") and envs.name_env(env) == name and not envs.is_single(name)
    made = envs.make(name, 3)
    assert all(copy is not env and copy._max_episode_steps == 30 for copy in made.envs)
    assert made.envs[0].unwrapped._sutton_barto_reward
    assert envs.make(name, 1, renderable=True).envs[0].render_mode == "rgb_array"


@pytest.mark.parametrize(
    "env", [CartPoleEnv(), Doubled(gymnasium.make("CartPole-v1"))], ids=["by hand", "with a wrapper of its own"]
)
def test_any_other_object_is_used_itself_and_stays_open(env, monkeypatch):
    name = envs.name_env(env)
    assert envs.is_single(name)
    made = envs.make(name, 1)
    assert made.envs[0] is env
    monkeypatch.setattr(env, "close", lambda: pytest.fail("it was closed"))
    made.close()
    with pytest.raises(CaudexError, match=r"--num-envs 2: <.*> is one environment object, it acts alone"):
        envs.make(name, 2)


def test_spaces_that_were_changed_after_making_are_kept():
    env = gymnasium.make("CartPole-v1")
    env.observation_space = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
    assert envs.is_single(envs.name_env(env))


def test_classes_and_functions_make_environments():
    for factory in (CartPoleEnv, lambda: gymnasium.make("CartPole-v1", max_episode_steps=9)):
        name = envs.name_env(factory)
        assert envs.make(name, 2).reset(np.arange(2), np.ones(2, bool)).shape == (2, 4)
    assert name == "<lambda>" and envs.name_env(lambda: None) == "<lambda 2>"
    assert envs.name_env("CartPole-v1") == "CartPole-v1"


def test_what_is_no_environment_or_is_of_another_process_is_refused():
    with pytest.raises(CaudexError, match="env is a int; give the id of an environment"):
        envs.name_env(3)
    with pytest.raises(CaudexError, match=r"env is a SyncVectorEnv; .*num_envs says how many"):
        envs.name_env(gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync"))
    with pytest.raises(CaudexError, match="<Elsewhere> was given as a Python object, which only its own process knows"):
        envs.make("<Elsewhere>", 1)
