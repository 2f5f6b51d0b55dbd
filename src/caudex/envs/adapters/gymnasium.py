"""Gymnasium environments of any kind, one after the other in this process."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.adapters.actions import convert_actions, reward_number
from caudex.envs.adapters.gymnasium_factory import episode_limit, make_gymnasium
from caudex.envs.adapters.mujoco_visuals import improve_visuals
from caudex.envs.adapters.spaces import convert_observations
from caudex.envs.env import Env, NoImagesError, TimeStep
from caudex.envs.objects import is_single
from caudex.envs.watchdog import GuardedCall, start_watchdog

MAX_EPISODE_STEPS = 10_000
"""steps after which an episode without a time limit is truncated where policies are compared; it might never end"""


class GymnasiumEnv(Env):
    """`num_envs` environments that `gymnasium.make` or an entry point knows by `name`; with `renderable`, the first can be rendered.

    `convert_observations` and `convert_actions` say how spaces are converted. Where the actions are choices, the first is reset
    once to learn whether it gives masks of actions. Raises CaudexError for an unknown name, a missing package, and spaces of
    other kinds.
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
        self.native_spaces = self.envs[0].observation_space, self.envs[0].action_space
        actions = convert_actions(name, self.envs[0].action_space)
        self.action_space, self.native_actions = actions.space, actions.native
        self.observation_space, self.layout, self.ignored_texts, self.convert = convert_observations(
            name, self.envs[0].observation_space, actions.choices, bool(actions.choices) and self.gives_masks()
        )
        self.max_episode_steps = 0 if episode_limit(self.envs[0]) else MAX_EPISODE_STEPS
        self.render_fps = self.envs[0].metadata.get("render_fps") or self.render_fps
        self.observations = np.zeros((num_envs, *self.observation_space.shape), self.observation_space.dtype)

    def gives_masks(self) -> bool:
        """Whether the first environment gives an info["action_mask"] when it is reset."""
        with GuardedCall(self.name, "begins an episode"):
            _, *info = self.envs[0].reset(seed=0)
        return bool(info) and "action_mask" in info[-1]

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        for i in np.flatnonzero(mask):
            with GuardedCall(self.name, "begins an episode"):
                observation, *info = self.envs[i].reset(seed=int(seeds[i]) % (1 << 31))
                self.observations[i] = self.convert(observation, info[-1] if info else {})
        return self.observations.copy()

    def step(self, actions: np.ndarray) -> TimeStep:
        rewards, (terminated, truncated) = np.zeros(self.num_envs), np.zeros((2, self.num_envs), bool)
        x_position = np.full(self.num_envs, np.nan)
        with GuardedCall(self.name, "steps") as call:
            for i, (env, action) in enumerate(zip(self.envs, self.native_actions(actions))):
                call.env_index = i
                observation, reward, is_terminated, is_truncated, info = env.step(action)
                try:
                    rewards[i] = reward
                except (TypeError, ValueError):  # of an array
                    rewards[i] = reward_number(self.name, reward)
                terminated[i], truncated[i] = is_terminated, is_truncated
                self.observations[i] = self.convert(observation, info, is_terminated or is_truncated)
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


def to_uint8_image(image) -> np.ndarray:
    """What an environment renders, as uint8 [H, W, 3]; floats are shares of 255, as MinAtar has them."""
    image = np.asarray(image)
    return (255 * image if image.dtype.kind == "f" and image.max() <= 1 else image).astype(np.uint8)
