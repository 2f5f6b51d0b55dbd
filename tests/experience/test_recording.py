import io

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from helpers.command_line import assert_refused, run_cli

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.experience import Recording, play_episodes

SHOWN = {
    "float64": (Box(-9, 9, (2,), np.float64), lambda env: env.buffer),  # the same array, changed at each step
    "number": (Discrete(50, start=3), lambda env: 3 + env.steps),
    "image": (Box(0, 255, (20, 24, 3), np.uint8), lambda env: np.full((20, 24, 3), env.steps, np.uint8)),
    "nested": (
        Dict({"arm": Box(-9, 9, (2,), np.float32), "eyes": Tuple([Discrete(9), Box(0, 1, (1,), np.float32)])}),
        lambda env: {"arm": env.buffer.astype(np.float32), "eyes": (env.steps, np.ones(1, np.float32))},
    ),
}


class Counter(gymnasium.Env):
    """Shows the episode's number and the steps so far; ends after 3 steps in turns by termination and truncation."""

    action_space = Discrete(4, start=1)

    def __init__(self, kind):
        self.observation_space, self.show = SHOWN[kind]
        self.episode, self.buffer = -1, np.zeros(2)

    def reset(self, seed=None, options=None):
        self.episode, self.steps = self.episode + 1, 0
        self.buffer[:] = self.episode, 0
        return self.show(self), {}

    def step(self, action):
        self.steps += 1
        self.buffer[1] = self.steps
        odd, ends = self.episode % 2 == 1, self.steps == 3
        return self.show(self), 10 * self.episode + self.steps, ends and not odd, ends and odd, {}


@pytest.fixture(scope="module", autouse=True)
def counters():
    for kind in SHOWN:
        gymnasium.register(f"Counter-{kind}-v0", lambda kind=kind: Counter(kind))


def record(kind, count=3, num_envs=1):
    recording, steps = Recording(), iter(range(1000))
    policy = lambda observations: np.full(len(observations), next(steps) % 4)  # noqa: E731
    episodes = play_episodes(f"Counter-{kind}-v0", policy, count, 0, num_envs=num_envs, recording=recording)
    return recording.arrays(count), episodes


def test_each_row_is_what_was_seen_then_done_then_earned():
    arrays, episodes = record("float64")
    first = int(arrays["observations"][0, 0])  # episodes that were begun to look at the environment came before
    shown = [[first + episode, step] for episode in range(3) for step in range(3)]
    assert (arrays["observations"].dtype, arrays["observations"].tolist()) == (np.float64, shown)
    assert arrays["actions"].tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1]  # as the environment takes them, from 1
    assert arrays["rewards"].tolist() == [10 * episode + step + 1 for episode, step in shown]
    assert arrays["episodes"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert arrays["final_observations"].tolist() == [[first + episode, 3] for episode in range(3)]
    ends = np.flatnonzero(arrays["terminated"] | arrays["truncated"])
    assert ends.tolist() == [2, 5, 8]
    assert arrays["truncated"][ends].tolist() == [(first + episode) % 2 == 1 for episode in range(3)]
    returns = [arrays["rewards"][arrays["episodes"] == episode].sum() for episode in range(3)]
    assert returns == [episode.total_reward for episode in episodes]


@pytest.mark.parametrize("kind", ["number", "image", "nested"])
def test_observations_have_the_types_and_shapes_of_the_environment(kind):
    arrays, _ = record(kind, num_envs=2)
    expected = {
        "number": {"observations": (np.int64, (9,))},
        "image": {"observations": (np.uint8, (9, 20, 24, 3))},
        "nested": {
            "observations/arm": (np.float32, (9, 2)),
            "observations/eyes/0": (np.int64, (9,)),
            "observations/eyes/1": (np.float32, (9, 1)),
        },
    }[kind]
    for name, form in expected.items():
        assert (arrays[name].dtype, arrays[name].shape) == form
        assert arrays[f"final_{name}"].shape == (3, *form[1][1:])


def test_our_own_environments_are_recorded_as_they_are_shown():
    recording = Recording()
    policy = envs.random_policy(envs.make("control/reacher", 1).action_space, 0)
    episodes = play_episodes("control/reacher", policy, 3, 0, num_envs=2, recording=recording)
    arrays = recording.arrays(3)
    assert arrays["observations"].shape[0] == arrays["actions"].shape[0] == sum(episode.length for episode in episodes)
    returns = [arrays["rewards"][arrays["episodes"] == i].sum() for i in range(3)]
    assert np.allclose(returns, [episode.total_reward for episode in episodes])
    assert arrays["truncated"].sum() == 3


def test_objects_are_refused():
    recording = Recording()
    recording.attach(envs.make("Counter-number-v0", 1)).reset(np.array([0]), np.array([True]))
    recording.episodes[0][0].add(object(), 3, 0.0, True, False)
    with pytest.raises(CaudexError, match="actions are objects of Python"):
        recording.write(io.BytesIO(), 1)


def test_play_writes_a_file_that_numpy_reads_without_pickle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_cli("train", "ppo", "--scale", "tiny", "--total-steps", "512", "--run", "run")
    output = run_cli("play", "run", "--episodes", "4", "--record", "played.npz")
    with np.load("played.npz", allow_pickle=False) as arrays:
        assert arrays["observations"].dtype == np.float32 and arrays["observations"].shape[1:] == (4,)
        assert len(arrays["final_observations"]) == 4
        returns = np.bincount(arrays["episodes"], arrays["rewards"])
    assert f"{returns.mean():,.1f}" in output.out
    assert_refused("play", "run", "--record", "played.npz", because="--record played.npz exists already")
    assert_refused(
        "play", "run", "--record", "played.txt", because="--record played.txt: give a file that ends in .npz"
    )
