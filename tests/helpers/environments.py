"""A clock to act in, whose every observation and reward is known."""

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

from caudex.envs import Env, TimeStep
from caudex.experience import EnvRunner, ReplaySource


class Clock(Env):
    """Shows (episode's seed mod 100, steps so far). Even seeds die after 3 steps, odd ones are cut off after 4. The reward
    is the number of the step, from 1. As images: a frame of 2x2 with the steps so far."""

    name, action_space = "clock", Discrete(2)

    def __init__(self, num_envs: int, images: bool = False):
        self.num_envs, self.images = num_envs, images
        self.observation_space = Box(0, 255, (1, 2, 2), np.uint8) if images else Box(-np.inf, np.inf, (2,), np.float32)
        self.seeds, self.steps = np.zeros(num_envs, np.int64), np.zeros(num_envs, np.int64)
        self.offset = 0.0

    def observe(self) -> np.ndarray:
        if self.images:
            return np.broadcast_to(self.steps.astype(np.uint8)[:, None, None, None], (self.num_envs, 1, 2, 2)).copy()
        return np.stack([self.seeds % 100 + self.offset, self.steps], 1).astype(np.float32)

    def reset(self, seeds, which):
        self.seeds, self.steps = np.where(which, seeds, self.seeds), np.where(which, 0, self.steps)
        return self.observe()

    def step(self, actions):
        self.steps = self.steps + 1
        dead = (self.seeds % 2 == 0) & (self.steps == 3)
        return TimeStep(self.observe(), self.steps.astype(float), dead, (self.seeds % 2 == 1) & (self.steps == 4))


class ClockWithLives(Clock):
    """The clock, with a life that is lost at the second step."""

    def step(self, actions):
        outcome = super().step(actions)
        return outcome._replace(life_lost=self.steps == 2)


class StillLearner:
    """A learner whose policy always acts the same."""

    def __init__(self):
        self.progress, self.trunk, self.signals, self.device = 0.0, None, {"policy": self}, torch.device("cpu")

    def parameters(self):
        yield torch.zeros(1)

    def children(self):
        return ()

    def random_actions(self, observations):
        return torch.zeros(len(observations), dtype=torch.int64)

    def explore(self, trunk, observations, progress):
        return torch.zeros(len(observations), dtype=torch.int64)


def clock_replay(num_envs=2, images=False, frame_stack=1, **settings) -> ReplaySource:
    settings = {"buffer_size": 60, "batch": 64, "learning_starts": 20, "gamma": 0.5} | settings
    return ReplaySource(
        EnvRunner(Clock(num_envs, images), seed=5, frame_stack=frame_stack), StillLearner(), "policy", **settings
    )
