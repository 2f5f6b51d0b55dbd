"""The DeepMind Control Suite (Tassa et al. 2018), by the package dm_control: seen as numbers, or by a camera."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import weakref

import numpy as np

from caudex.core.errors import CaudexError, short_message
from caudex.core.registry import did_you_mean
from caudex.envs.env import Env, Outcome
from caudex.envs.watchdog import telling, watch

REPEATS = {"cartpole": 8, "finger": 2, "walker": 2}
"""steps of the simulator to an action (Laskin et al. 2020, table 1); of all others 4, as cheetah, reacher and ball in cup"""
CAMERAS = {"quadruped": 2, "dog-fetch-v0": 2}
"""which of the model's cameras looks; of all others the first, which would be in the ball that the dog fetches"""
LARGE = (240, 320)  # height and width of an image for people


class Suite(Env):
    """`count` environments of DOMAIN-TASK-v0. A step is one action, which the simulator repeats as published, the rewards
    added up; an episode is cut after 1,000 steps of the simulator.

    Observations: float32 [S], all that the task tells, in its order; with `pixels` an image, uint8 [3, size, size].
    Actions: float32 [A]. Raises CaudexError for an unknown task, a missing package, and where nothing can be painted.
    """

    def __init__(self, task: str, count: int, pixels: bool = False, size: int = 84):
        watch()
        self.name, self.count, self.task = f"{'dm_pixels' if pixels else 'dm_control'}/{task}", count, task
        suite, known = loaded(self.name), tasks()
        if task not in known:
            raise CaudexError(
                f"{task!r} is no task of dm_control.{did_you_mean(task, known)} `caudex list envs` shows all."
            )
        from gymnasium.spaces import Box

        self.domain, _, part = task.removesuffix("-v0").partition("-")
        self.repeat = REPEATS.get(self.domain, 4)
        self.environments = [suite.load(self.domain, part, task_kwargs={"random": 0}) for _ in range(count)]
        self.rate = 1 / (self.environments[0].control_timestep() * self.repeat)
        bounds, shown = self.environments[0].action_spec(), self.environments[0].observation_spec()
        self.action = Box(bounds.minimum.astype(np.float32), bounds.maximum.astype(np.float32))
        numbers = Box(-np.inf, np.inf, (sum(int(np.prod(each.shape)) for each in shown.values()),))
        self.observation = Box(0, 255, (3, size, size), np.uint8) if pixels else numbers
        self.held = np.zeros((count, *self.observation.shape), self.observation.dtype)
        self.small, self.large = self.camera(size, size) if pixels else None, None

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        for i in np.flatnonzero(which):
            with telling(self.name, "begins an episode"):
                self.environments[i].task.random.seed(int(seeds[i]) % (1 << 32))
                self.held[i] = self.observed(i, self.environments[i].reset())
        return self.held.copy()

    def step(self, actions: np.ndarray) -> Outcome:
        rewards, ended, late = np.zeros(self.count), np.zeros(self.count, bool), np.zeros(self.count, bool)
        with telling(self.name, "steps") as call:
            for i, (environment, action) in enumerate(zip(self.environments, actions.astype(float))):
                call.place = i
                for _ in range(self.repeat):
                    found = environment.step(action)
                    rewards[i] += found.reward or 0.0  # None where it has begun anew: it was over, and was not reset
                    if found.last():
                        break
                ended[i], late[i] = found.last() and found.discount == 0, found.last() and found.discount > 0
                self.held[i] = self.observed(i, found)
        return Outcome(self.held.copy(), rewards, ended, late)

    def observed(self, i: int, found) -> np.ndarray:
        if self.small:
            return self.small.paint(self.environments[i].physics).transpose(2, 0, 1)
        return np.concatenate([np.ravel(part) for part in found.observation.values()])

    def image(self) -> np.ndarray:
        self.large = self.large or self.camera(*LARGE)
        with telling(self.name, "is painted"):
            return self.large.paint(self.environments[0].physics)

    def camera(self, height: int, width: int) -> Camera:
        which = CAMERAS.get(self.task, CAMERAS.get(self.domain, 0))
        try:
            return Camera(self.environments[0].physics.model.ptr, which, height, width)
        except Exception as error:
            raise CaudexError(
                f"{self.name} cannot be painted here, there is no OpenGL without a screen ({short_message(error).rstrip('(')}); on "
                "Debian: apt-get install libegl1 libgl1."
            ) from None

    def close(self) -> None:
        for camera in filter(None, (self.small, self.large)):
            camera.close()
        for environment in self.environments:
            environment.close()


class Camera:
    """Paints environments that have the same shapes, one after the other; without shadows and smooth edges, which cost more
    than all the rest where there is no graphics card."""

    def __init__(self, model, which: int, height: int, width: int):
        import mujoco

        self.painter = self.context = None
        model.vis.quality.shadowsize, model.vis.quality.offsamples = 0, 0
        model.vis.global_.offheight, model.vis.global_.offwidth = height, width
        self.place = mujoco.MjrRect(0, 0, width, height)
        self.context = opengl()(width, height)
        atexit.register(
            lambda camera=weakref.ref(self): camera() and camera().close()
        )  # EGL itself ends before objects do
        self.context.make_current()
        self.scene, self.options, self.eye = mujoco.MjvScene(model, 2000), mujoco.MjvOption(), mujoco.MjvCamera()
        self.eye.type, self.eye.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, which
        self.painter = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.painter)

    def paint(self, physics) -> np.ndarray:
        """uint8 [H, W, 3]."""
        import mujoco

        self.context.make_current()
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(physics.model.ptr, physics.data.ptr, self.options, None, self.eye, every, self.scene)
        mujoco.mjr_render(self.place, self.scene, self.painter)
        found = np.empty((self.place.height, self.place.width, 3), np.uint8)
        mujoco.mjr_readPixels(found, None, self.place, self.painter)
        return found[::-1]  # OpenGL counts lines from below

    def close(self) -> None:
        if self.painter:
            self.context.make_current()  # what is freed is freed in the context that is current
            self.painter.free()
        if self.context:
            self.context.free()
        self.painter = self.context = None

    __del__ = close


def opengl() -> type:
    """Of mujoco's ways to OpenGL the one that needs no screen; MUJOCO_GL chooses another, as osmesa, when mujoco is imported."""
    if sys.platform == "linux" and os.environ.get("MUJOCO_GL") in (None, "", "egl"):
        from mujoco.egl import GLContext
    else:
        from mujoco.gl_context import GLContext
    return GLContext


def loaded(name: str):
    """dm_control.suite; `name` is what needs it."""
    try:
        import mujoco

        wished, os.environ["MUJOCO_GL"] = os.environ.get("MUJOCO_GL"), "disabled"  # it would look for a screen
        try:
            from dm_control import suite
        finally:
            del os.environ["MUJOCO_GL"]
            os.environ |= {"MUJOCO_GL": wished} if wished is not None else {}
    except ImportError:
        raise CaudexError(
            f"{name} needs the package dm_control: pip install 'caudex[control]', with Python 3.11 or 3.12."
        ) from None
    except RuntimeError as error:  # of mujoco, for a MUJOCO_GL that it does not know
        raise CaudexError(f"{name} cannot be made: {short_message(error)}.") from None
    mujoco.set_mju_user_warning(lambda text: None)  # on the screen and in a file
    logging.getLogger("absl").setLevel(logging.ERROR)  # it warns of old words in its own models
    return suite


def tasks() -> list[str]:
    """DOMAIN-TASK-v0 of all; nothing where dm_control is not installed. Left out are lqr, whose actions have no bounds, and
    escape, which paints by itself when an episode begins."""
    try:
        suite = loaded("")
    except CaudexError:
        return []
    return [f"{domain}-{task}-v0" for domain, task in suite.ALL_TASKS if domain != "lqr" and task != "escape"]
