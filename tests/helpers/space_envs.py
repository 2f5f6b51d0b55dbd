"""Tiny Gymnasium environments of any space, registered as `helpers.space_envs:NAME-v0`."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple

NESTED = Dict(
    camera=Box(0, 255, (8, 8, 3), np.uint8),
    mission=Text(5),
    pose=Tuple((Box(-1, 1, (2,), np.float64), Discrete(3, start=1))),
)
OBSERVATIONS = {
    "Vector": Box(-1, 1, (3,)),
    "Rank0": Box(-1, 1, ()),
    "Rank4": Box(-5, 5, (2, 1, 2, 2), np.int16),
    "Grey": Box(0, 255, (9, 10), np.uint8),
    "ChannelsFirst": Box(0, 255, (3, 40, 41), np.uint8),
    "Floats": Box(-1, 1, (16, 17, 2)),
    "Number": Discrete(4, start=2),
    "Bits": MultiBinary((2, 2)),
    "Numbers": MultiDiscrete([2, 3], start=[0, 1]),
    "Nested": NESTED,
    "Vectors": Dict(a=Box(-1, 1, (2,)), b=Discrete(2)),
    "TwoCameras": Tuple((Box(0, 255, (40, 40, 3), np.uint8), Box(0, 1, (10, 10), bool))),
}
ACTIONS = {
    "StartsAtOne": Discrete(3, start=1),
    "Several": MultiDiscrete([2, 3], start=[1, 0]),
    "Switches": MultiBinary((2, 2)),
    "Whole": Box(0, 5, (2,), np.int32),
    "Double": Box(-0.1, 0.1, (2,), np.float64),
    "Single": Box(-1, 1, ()),
    "Matrix": Box(-2, 2, (2, 2)),
    "Unbounded": Box(-np.inf, np.inf, (2,)),
}


class AnySpace(gymnasium.Env):
    """Shows samples of its observation space for six steps, and refuses actions that are not of its action space."""

    def __init__(self, observation_space=OBSERVATIONS["Vector"], action_space=Discrete(2), reward=1.0):
        self.observation_space, self.action_space, self.reward = observation_space, action_space, reward

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.steps = 0
        return self.observation_space.sample(), self.info()

    def step(self, action):
        assert self.action_space.contains(action), action
        self.steps += 1
        return self.observation_space.sample(), self.reward, False, self.steps == 6, self.info()

    def info(self):
        return {}


class Forbidding(AnySpace):
    """Four actions, of which each step allows some at random, and fails for others; the last that is allowed is rewarded."""

    def __init__(self):
        super().__init__(OBSERVATIONS["Vector"], Discrete(4))

    def info(self):
        self.mask = self.np_random.integers(2, size=4, dtype=np.int8)
        self.mask[self.np_random.integers(4)] = 1
        return {"action_mask": self.mask}

    def step(self, action):
        assert self.mask[action], f"{action} is forbidden"
        self.reward = float(action == np.flatnonzero(self.mask)[-1])
        return super().step(action)


class ForbiddingSeveral(Forbidding):
    """Two choices at once; the mask is a tuple, as Gymnasium's `MultiDiscrete.sample` takes it."""

    def __init__(self):
        AnySpace.__init__(self, OBSERVATIONS["Nested"], MultiDiscrete([2, 3]))

    def info(self):
        self.first, self.second = self.np_random.integers(2), self.np_random.integers(3)
        return {"action_mask": (np.eye(2, dtype=np.int8)[self.first], 1 - np.eye(3, dtype=np.int8)[self.second])}

    def step(self, action):
        assert action[0] == self.first and action[1] != self.second, f"{action} is forbidden"
        return AnySpace.step(self, action)


def env_name(space_name: str) -> str:
    return f"helpers.space_envs:{space_name}-v0"


for space_name, space in OBSERVATIONS.items():
    gymnasium.register(f"{space_name}-v0", AnySpace, kwargs={"observation_space": space})
for space_name, space in ACTIONS.items():
    gymnasium.register(f"{space_name}-v0", AnySpace, kwargs={"action_space": space})
gymnasium.register("Forbidding-v0", Forbidding)
gymnasium.register("ForbiddingSeveral-v0", ForbiddingSeveral)
