"""The DeepMind Control Suite (Tassa et al. 2018), by the package dm_control: observed as numbers, or by a camera."""

from __future__ import annotations

import logging
import os

import numpy as np

from caudex.core.errors import CaudexError, short_message
from caudex.core.registry import did_you_mean
from caudex.envs.env import Env, TimeStep
from caudex.envs.mujoco_camera import MuJoCoCamera, open_camera
from caudex.envs.watchdog import GuardedCall, start_watchdog

ACTION_REPEATS = {"cartpole": 8, "finger": 2, "walker": 2}
"""steps of the simulator to an action (Laskin et al. 2020, table 1); of all others 4, as cheetah, reacher and ball in cup"""
CAMERA_IDS = {"quadruped": 2, "dog-fetch-v0": 2}
"""the model's camera; of all others the first, which would be in the ball that the dog fetches"""
RENDER_SIZE = (240, 320)  # height and width of an image for people


class DMControlEnv(Env):
    """`num_envs` environments of DOMAIN-TASK-v0. A step is one action, which the simulator repeats as published, the rewards
    added up; an episode is truncated after 1,000 steps of the simulator.

    Observations: float32 [S], all observations of the task, in its order; with `pixels` an image, uint8 [3, size, size].
    Actions: float32 [A]. Raises CaudexError for an unknown task, a missing package, and where nothing can be rendered.
    """

    def __init__(self, task: str, num_envs: int, pixels: bool = False, size: int = 84):
        start_watchdog()
        self.name, self.num_envs, self.task = f"{'dm_pixels' if pixels else 'dm_control'}/{task}", num_envs, task
        suite, tasks = load_suite(self.name), dm_control_tasks()
        if task not in tasks:
            raise CaudexError(
                f"{task!r} is no task of dm_control.{did_you_mean(task, tasks)} `caudex list envs` shows all."
            )
        from gymnasium.spaces import Box

        self.domain, _, task_name = task.removesuffix("-v0").partition("-")
        self.repeat = ACTION_REPEATS.get(self.domain, 4)
        self.envs = [suite.load(self.domain, task_name, task_kwargs={"random": 0}) for _ in range(num_envs)]
        self.render_fps = 1 / (self.envs[0].control_timestep() * self.repeat)
        bounds, shapes = self.envs[0].action_spec(), self.envs[0].observation_spec()
        self.action_space = Box(bounds.minimum.astype(np.float32), bounds.maximum.astype(np.float32))
        numbers = Box(-np.inf, np.inf, (sum(int(np.prod(spec.shape)) for spec in shapes.values()),))
        self.observation_space = Box(0, 255, (3, size, size), np.uint8) if pixels else numbers
        self.observations = np.zeros((num_envs, *self.observation_space.shape), self.observation_space.dtype)
        self.camera, self.render_camera = self.make_camera(size, size) if pixels else None, None

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        for i in np.flatnonzero(mask):
            with GuardedCall(self.name, "begins an episode"):
                self.envs[i].task.random.seed(int(seeds[i]) % (1 << 32))
                self.observations[i] = self.observe(i, self.envs[i].reset())
        return self.observations.copy()

    def step(self, actions: np.ndarray) -> TimeStep:
        rewards, (terminated, truncated) = np.zeros(self.num_envs), np.zeros((2, self.num_envs), bool)
        with GuardedCall(self.name, "steps") as call:
            for i, (env, action) in enumerate(zip(self.envs, actions.astype(float))):
                call.env_index = i
                for _ in range(self.repeat):
                    time_step = env.step(action)
                    rewards[i] += time_step.reward or 0.0  # None where dm_control has reset an episode that was over
                    if time_step.last():
                        break
                terminated[i] = time_step.last() and time_step.discount == 0
                truncated[i] = time_step.last() and time_step.discount > 0
                self.observations[i] = self.observe(i, time_step)
        return TimeStep(self.observations.copy(), rewards, terminated, truncated)

    def observe(self, i: int, time_step) -> np.ndarray:
        if self.camera:
            return self.render_from(self.camera, i).transpose(2, 0, 1)
        return np.concatenate([np.ravel(array) for array in time_step.observation.values()])

    def render(self) -> np.ndarray:
        self.render_camera = self.render_camera or self.make_camera(*RENDER_SIZE)
        with GuardedCall(self.name, "is painted"):
            return self.render_from(self.render_camera, 0)

    def render_from(self, camera: MuJoCoCamera, i: int) -> np.ndarray:
        physics = self.envs[i].physics
        return camera.render(physics.model.ptr, physics.data.ptr)

    def make_camera(self, height: int, width: int) -> MuJoCoCamera:
        camera_id = CAMERA_IDS.get(self.task, CAMERA_IDS.get(self.domain, 0))
        return open_camera(self.name, self.envs[0].physics.model.ptr, camera_id, height, width)

    def close(self) -> None:
        for camera in filter(None, (self.camera, self.render_camera)):
            camera.close()
        for env in self.envs:
            env.close()


def load_suite(name: str):
    """dm_control.suite; `name` is the environment that needs it."""
    try:
        import mujoco

        gl_setting, os.environ["MUJOCO_GL"] = os.environ.get("MUJOCO_GL"), "disabled"  # it would look for a screen
        try:
            from dm_control import suite
        finally:
            del os.environ["MUJOCO_GL"]
            os.environ |= {"MUJOCO_GL": gl_setting} if gl_setting is not None else {}
    except ImportError:
        raise CaudexError(
            f"{name} needs the package dm_control: pip install 'caudex[control]', with Python 3.11 or 3.12."
        ) from None
    except RuntimeError as error:  # of mujoco, for a MUJOCO_GL that it does not know
        raise CaudexError(f"{name} cannot be made: {short_message(error)}.") from None
    mujoco.set_mju_user_warning(lambda text: None)  # on the screen and in a file
    logging.getLogger("absl").setLevel(logging.ERROR)  # it warns of old words in its own models
    return suite


def dm_control_tasks() -> list[str]:
    """DOMAIN-TASK-v0 of all; nothing where dm_control is not installed. Left out are lqr, whose actions have no bounds, and
    escape, which renders by itself when an episode begins."""
    try:
        suite = load_suite("")
    except CaudexError:
        return []
    return [f"{domain}-{task}-v0" for domain, task in suite.ALL_TASKS if domain != "lqr" and task != "escape"]
