"""Gymnasium environments of any kind, one after the other in this process."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.adapters.gymnasium_factory import episode_limit, make_gymnasium
from caudex.envs.adapters.mujoco_visuals import improve_visuals
from caudex.envs.env import Env, NoImagesError, TimeStep
from caudex.envs.objects import is_single
from caudex.envs.watchdog import GuardedCall, start_watchdog

MAX_EPISODE_STEPS = 10_000
"""steps after which an episode without a time limit is truncated where policies are compared; it might never end"""


class GymnasiumEnv(Env):
    """`num_envs` environments that `gymnasium.make` or an entry point knows by `name`; with `renderable`, the first can be rendered.

    Observations: vectors as float32, images [H, W, C] as uint8 [C, H, W] (booleans as 0 and 255), numbers of a
    `Discrete` space one-hot. Raises CaudexError for an unknown name, a missing package, and spaces of other kinds.
    """

    def __init__(self, name: str, num_envs: int, renderable: bool = False):
        start_watchdog()
        self.name, self.num_envs, self.is_single = name, num_envs, is_single(name)
        if self.is_single and num_envs > 1:
            raise CaudexError(
                f"--num-envs {num_envs}: {name} is one environment object, it acts alone; give --num-envs 1, or its class or a "
                "function that makes it."
            )
        self.envs = [make_gymnasium(name, renderable and i == 0) for i in range(num_envs)]
        quality = getattr(getattr(getattr(self.envs[0].unwrapped, "model", None), "vis", None), "quality", None)
        if quality:  # without a graphics card, shadows and smooth edges cost a hundred times as much as all the rest
            quality.shadowsize, quality.offsamples = 0, 0
        if renderable:
            improve_visuals(self.envs[0].unwrapped)
        native_space, self.action_space = self.envs[0].observation_space, self.envs[0].action_space
        self.observation_space, self.convert = observation_converter(name, native_space)
        check_actions(name, self.action_space)
        self.is_continuous = hasattr(self.action_space, "low")
        self.max_episode_steps = 0 if episode_limit(self.envs[0]) else MAX_EPISODE_STEPS
        self.render_fps = self.envs[0].metadata.get("render_fps") or self.render_fps
        self.observations = np.zeros((num_envs, *self.observation_space.shape), self.observation_space.dtype)

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        for i in np.flatnonzero(mask):
            with GuardedCall(self.name, "begins an episode"):
                observation = self.envs[i].reset(seed=int(seeds[i]) % (1 << 31))[0]
                self.observations[i] = self.convert(observation)
        return self.observations.copy()

    def step(self, actions: np.ndarray) -> TimeStep:
        rewards, (terminated, truncated) = np.zeros(self.num_envs), np.zeros((2, self.num_envs), bool)
        x_position = np.full(self.num_envs, np.nan)
        with GuardedCall(self.name, "steps") as call:
            for i, (env, action) in enumerate(zip(self.envs, actions if self.is_continuous else actions.tolist())):
                call.env_index = i
                observation, rewards[i], terminated[i], truncated[i], info = env.step(action)
                self.observations[i] = self.convert(observation)
                x_position[i] = info.get("x_position", np.nan)  # of Gymnasium's bodies that run, hop and swim
        return TimeStep(self.observations.copy(), rewards, terminated, truncated & ~terminated, x_position=x_position)

    def render(self) -> np.ndarray:
        with GuardedCall(self.name, "is painted"):
            try:
                image = self.envs[0].render()
            except Exception as error:
                if self.envs[0].render_mode and not isinstance(error, NotImplementedError):
                    raise
                image = None
        if image is not None:
            return to_uint8_image(image)
        raise NoImagesError(f"the environment {self.name} renders no images, so there is no film.")

    def close(self) -> None:
        for env in [] if self.is_single else self.envs:  # an object of the user's stays open
            env.close()


def observation_converter(name: str, space):
    """(the converted space, a function that converts an observation). That raises CaudexError for an observation of
    another shape than its space: numpy would broadcast it, and say nothing."""
    converted_space, convert = convert_space(name, space)

    def checked(observation):
        array = convert(observation)
        if array.shape != converted_space.shape:
            raise CaudexError(
                f"the environment {name} showed an observation of shape {array.shape}, but its observation_space says {converted_space.shape}; "
                "mend it (reset gives an observation and a dict); `caudex resume` goes on from a checkpoint, where there is one."
            )
        return array

    return converted_space, checked


def convert_space(name: str, space):
    """(the converted space, a function that converts an observation of the right shape)."""
    from gymnasium.spaces import Box, Discrete

    if isinstance(space, Discrete):
        rows = np.eye(int(space.n), dtype=np.float32)
        return Box(0, 1, (int(space.n),), np.float32), lambda number: rows[number - int(space.start)]
    if isinstance(space, Box) and len(space.shape) == 1:
        return Box(-np.inf, np.inf, space.shape, np.float32), np.asarray
    if isinstance(space, Box) and len(space.shape) in (2, 3) and space.dtype in (np.uint8, bool):
        shape = (1, *space.shape) if len(space.shape) == 2 else (space.shape[2], *space.shape[:2])
        scale = 255 if space.dtype == bool else 1
        return Box(0, 255, shape, np.uint8), lambda image: channels_first(image, scale)
    raise CaudexError(
        f"the environment {name} has observations {space}; known are vectors (Box), images (Box of uint8 or bool) and Discrete."
    )


def to_uint8_image(image) -> np.ndarray:
    """What an environment renders, as uint8 [H, W, 3]; floats are shares of 255, as MinAtar has them."""
    image = np.asarray(image)
    return (255 * image if image.dtype.kind == "f" and image.max() <= 1 else image).astype(np.uint8)


def channels_first(image: np.ndarray, scale: int) -> np.ndarray:
    image = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return image if scale == 1 else image.astype(np.uint8) * scale


def check_actions(name: str, space) -> None:
    from gymnasium.spaces import Box, Discrete

    bounded = isinstance(space, Box) and len(space.shape) == 1 and space.is_bounded()
    if not (bounded or isinstance(space, Discrete)) or getattr(space, "start", 0):
        raise CaudexError(
            f"the environment {name} has actions {space}; known are Discrete from 0 and bounded vectors (Box), as in Pendulum-v1."
        )
