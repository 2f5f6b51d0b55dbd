"""Agents play episodes: as many in each environment, and none without end."""

import copy

import gymnasium
import msgspec
import numpy as np
import pytest
from helpers.environments import Clock
from helpers.space_envs import ACTIONS, OBSERVATIONS, env_name
from helpers.trainings import quiet_run

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.core.specs import EnvSpec
from caudex.experience import EnvRunner, episode_returns, random_returns
from caudex.systems.reward.ppo import PPO


def test_every_environment_plays_the_same_number_of_episodes(monkeypatch):
    monkeypatch.setattr(envs, "make", lambda name, num_envs, renderable=False: Clock(num_envs))
    returns = episode_returns("clock", lambda observations: np.zeros(len(observations), np.int64), count=25, seed=0)
    assert len(returns) == 25 and set(returns) <= {6.0, 10.0}
    assert len(random_returns("clock", 3, 0)) == 3
    monkeypatch.setattr(Clock, "max_episode_steps", 2)  # as games of Atari have it
    assert set(random_returns("clock", 3, 0)) == {1.0 + 2.0}


def untrained(env: str, tmp_path, **settings):
    """An agent that acts by random weights."""
    system = PPO(env=env, num_envs=1, horizon=8, batch=8, **settings)
    runner, spec = system.make_envs(quiet_run(tmp_path))
    runner.env.close()
    return system.model(msgspec.json.decode(msgspec.json.encode(spec), type=EnvSpec)).eval()


@pytest.mark.parametrize("space", [*OBSERVATIONS, *ACTIONS, "Forbidding", "ForbiddingSeveral"])
def test_the_loop_of_stable_baselines_acts_in_any_space_as_play_does(space, tmp_path):
    """Actions from raw observations are those from converted ones, with the frames stacked inside."""
    agent = untrained(env_name(space), tmp_path)
    converted = envs.make(env_name(space), 1)
    env = copy.deepcopy(converted.envs[0])
    runner = EnvRunner(converted, 0, agent.frame_stack)
    obs, info = env.reset(seed=derive_seed(0, "episode", 0, 0) % (1 << 31))
    state, over = None, False
    while not over:
        masks = {"action_masks": info["action_mask"]} if "action_mask" in info else {}
        action, state = agent.predict(obs, state, **masks)
        expected = agent.act(runner.observations)
        assert np.array_equal(action, agent.native_spaces.to_native(expected)[0])
        obs, _, term, trunc, info = env.step(action)  # which refuses actions of other spaces
        runner.step(expected)
        over = term or trunc
    assert (state is None) == (space not in ("ChannelsFirst",))


def test_frames_are_stacked_for_each_of_several_observations(tmp_path):
    agent = untrained(env_name("ChannelsFirst"), tmp_path)
    frames = np.random.default_rng(0).integers(256, size=(3, 2, 3, 40, 41), dtype=np.uint8)  # three steps of two
    states = [None]
    for frame in frames:
        states.append(agent.predict(frame, states[-1])[1])
    assert np.array_equal(states[3], np.concatenate([frames[0], frames[0], frames[1], frames[2]], 1))
    restarted = agent.predict(frames[2], states[2], episode_start=[False, True])[1]
    assert np.array_equal(restarted[0], states[3][0]) and np.array_equal(restarted[1], np.tile(frames[2, 1], (4, 1, 1)))
    with pytest.raises(
        CaudexError, match=r"the state has the shape \(2, 12, 40, 41\), these observations need \(1, 12"
    ):
        agent.predict(frames[0, 0], states[1])


def test_actions_are_drawn_where_asked(tmp_path):
    agent = untrained(env_name("StartsAtOne"), tmp_path)
    actions, state = agent.predict(np.zeros((200, 3)), deterministic=False)
    assert set(actions) == {1, 2, 3} and actions.dtype == np.int64 and state is None
    assert len(set(agent.predict(np.zeros((200, 3)))[0])) == 1


def test_an_agent_is_evaluated_in_what_is_given(tmp_path):
    agent = untrained("CartPole-v1", tmp_path)
    earlier = set(envs.objects.named_objects)
    returns = agent.evaluate(lambda: gymnasium.make("CartPole-v1", max_episode_steps=4), 3)
    assert returns.tolist() == [4, 4, 4]
    assert agent.evaluate(gymnasium.make("CartPole-v1", max_episode_steps=5), 2).tolist() == [5, 5]
    assert set(envs.objects.named_objects) == earlier  # what was given is forgotten
    assert np.array_equal(agent.evaluate(episodes=3, seed=1), agent.play(3, 1))
    with pytest.raises(CaudexError, match=r"<CartPole-v1.*> has other observations or actions than CartPole-v1"):
        agent.evaluate(
            gymnasium.wrappers.FlattenObservation(
                gymnasium.wrappers.FrameStackObservation(gymnasium.make("CartPole-v1"), 2)
            ),
            1,
        )


def test_predicting_needs_nothing_of_the_environment(tmp_path):
    agent = untrained(env_name("Nested"), tmp_path)
    spec = msgspec.structs.replace(agent.spec, env="nosuch:Env-v0")
    assert PPO().model(spec).predict(OBSERVATIONS["Nested"].sample())[0] in (0, 1)
    older = msgspec.structs.replace(agent.spec, native_observations=None, native_actions=None)
    with pytest.raises(CaudexError, match=r"spec\.json: .* are not what was learned in"):
        PPO().model(older).predict(OBSERVATIONS["Nested"].sample())
    agent = untrained("Pendulum-v1", tmp_path)
    older = msgspec.structs.replace(agent.spec, native_observations=None, native_actions=None)
    action, _ = PPO().model(older).predict(np.ones(3))
    assert action.shape == (1,) and action.dtype == np.float32


def test_what_predict_cannot_take_is_said_of_what_was_given(tmp_path):
    system = PPO(env=env_name("Forbidding"), num_envs=1, total_steps=32, horizon=32, batch=32)
    agent = system.train(quiet_run(tmp_path))
    for observation, masks, because in (
        (
            np.full(3, np.nan, np.float32),
            None,
            "^predict was given a reward or an observation that is no finite number",
        ),
        (np.zeros(3, np.float32), np.zeros(4), "^predict was given an info.* that forbids every action"),
    ):
        with pytest.raises(CaudexError, match=because) as refused:
            agent.predict(observation, action_masks=masks)
        assert "resume" not in str(refused.value)
