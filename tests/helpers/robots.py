"""A module of a user's, with environments of each kind, as it lies in the working folder."""

from pathlib import Path

ROBOTS = """
import gymnasium
import numpy as np
from gymnasium.envs.classic_control import CartPoleEnv


class Pole(CartPoleEnv):
    def __init__(self, gravity=9.8, **kwargs):
        super().__init__(**kwargs)
        self.gravity = gravity


def make(limit=20):
    return gymnasium.wrappers.TimeLimit(CartPoleEnv(), limit)


class Bare(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32), gymnasium.spaces.Discrete(2)

    def __init__(self, fails_at=0):
        self.fails_at, self.steps = fails_at, 0

    def reset(self, seed=None, options=None):
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == self.fails_at:
            np.linalg.inv(np.zeros((2, 3)))  # line 29
        return np.zeros(3, np.float32), float(action), self.steps % 9 == 0, False, {}


def half(env):
    return gymnasium.wrappers.TransformReward(env, lambda reward: reward / 2)


def no_env(env):
    return 3


number = 7
gymnasium.register("Pole-v0", Pole, max_episode_steps=50)
"""


def write_robots(folder: Path = Path()) -> None:
    (folder / "robots_for_test.py").write_text(ROBOTS)
