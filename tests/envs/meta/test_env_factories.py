"""Tasks of a user's own function, and each mistake with its sentence."""

import numpy as np
import pytest

from caudex.core.errors import CaudexError
from caudex.envs.meta import trials
from caudex.envs.meta.trials import play_trials
from caudex.evaluation.baselines import classical_policies

# tasks that a function makes
MODULE = '''
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Guess(gymnasium.Env):
    """Ends with the right guess."""

    def __init__(self, right, size=2, choices=3):
        self.observation_space, self.action_space = Box(-1, 1, (size,), np.float32), Discrete(choices)
        self.right = right

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action):
        right = action == self.right
        return self.np_random.random(2).astype(np.float32), float(right), right, False, {}


def make_task(seed):
    return gymnasium.wrappers.TimeLimit(Guess(seed % 3), 4)


def endless(seed):
    return Guess(-1)


def endlessly_rich(seed):
    return gymnasium.wrappers.TransformReward(make_task(seed), lambda reward: reward or float("inf"))


def growing(seed):
    return gymnasium.wrappers.TimeLimit(Guess(0, 2 + (seed >= 2)), 4)


def late(seed):
    return gymnasium.wrappers.TimeLimit(Guess(0, 2, 3 + (seed >= 3)), 4)


def nothing(seed):
    return seed


def broken(seed):
    raise ValueError("no such task")
'''


@pytest.fixture
def guessing_module(tmp_path, monkeypatch):
    (tmp_path / "guessing.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def test_tasks_of_a_function_of_ones_own(guessing_module):
    env = trials.make_trials("guessing:make_task", 3, episodes=2)
    env.reset(np.arange(3), np.ones(3, bool))
    ends = [env.step(np.array([0, 0, 0])) for _ in range(8)]
    assert [each.terminated.tolist() for each in ends[:3]] == [[False] * 3, [True, False, False], [True, False, False]]
    assert ends[6].terminated.tolist() == [True, False, False] and ends[7].terminated.all()  # the others: 2 x 4 steps
    played = [
        play_trials(trials.make_trials("guessing:make_task", 3), lambda observations: np.zeros(3, int), np.arange(3))
        for _ in range(2)
    ]
    assert all(np.array_equal(one, other) for one, other in zip(*played))
    assert played[0].lengths.tolist() == [[1, 1], [4, 4], [4, 4]]


def test_beside_them_is_one_who_acts_at_random(guessing_module):
    ((name, act),) = classical_policies(trials.make_trials("guessing:make_task", 3)).items()
    assert name == "random" and set(act(np.zeros((100, 9)))) == {0, 1, 2}


def test_an_episode_that_would_never_end_is_cut(guessing_module):
    env = trials.make_trials("guessing:endless", 1, episodes=2, limit=5)
    env.reset(np.arange(1), np.ones(1, bool))
    assert [bool(env.step(np.zeros(1, int)).terminated[0]) for _ in range(10)].index(True) == 9


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("guessing:endless", {}, "no limit"),
        ("guessing:growing", {}, r"\(2,\).* for seed 0 and .*\(3,\).* for seed 2"),
        ("guessing:nothing", {}, "gave a int"),
        ("guessing:broken", {}, "ValueError: no such task"),
        ("guessing:makes_task", {}, "it has .*make_task"),
        ("gessing:make_task", {}, "no module gessing"),
        ("guessing:make_task", {"limit": -1}, "-1 steps"),
        ("guessing:make_task", {"pulls": 3}, "no setting 'pulls'"),
        ("bandit", {}, "Did you mean bandits"),
        ("bandits", {"arms": 0}, "0 arms"),
        ("bandits", {"pulls": 0}, "0 episodes"),
        ("bandits", {"arm": 3}, "Did you mean arms"),
        ("tabular-mdps", {"horizon": 0}, "0 steps"),
        ("mazes", {"size": "larg"}, "Did you mean large"),
        ("mazes", {"view": "below"}, "Known: inside, above"),
    ],
)
def test_what_cannot_be_is_refused_with_one_sentence(guessing_module, name, settings, message):
    with pytest.raises(CaudexError, match=message):
        trials.make_trials(name, 2, **settings)


def test_a_task_that_differs_later_is_refused_then(guessing_module):
    env = trials.make_trials("guessing:late", 1)
    with pytest.raises(CaudexError, match=r"actions Discrete\(3\) for seed 0 and Discrete\(4\) for seed 7"):
        env.reset(np.array([7]), np.ones(1, bool))


def test_a_reward_that_is_no_number_is_refused(guessing_module):
    env = trials.make_trials("guessing:endlessly_rich", 1)
    env.reset(np.zeros(1, int), np.ones(1, bool))
    env.step(np.zeros(1, int))
    with pytest.raises(CaudexError, match=r"guessing:endlessly_rich gave a reward .* no finite number"):
        env.step(np.ones(1, int))
