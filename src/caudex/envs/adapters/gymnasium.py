"""Gymnasium environments of any kind, one after the other in this process."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from tempfile import gettempdir
from types import ModuleType

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean, import_attribute, plugin_paths
from caudex.core.trust import check_trusted, imported_module
from caudex.envs.adapters.mujoco_visuals import improve_visuals
from caudex.envs.env import Env, TimeStep
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
        self.name, self.num_envs = name, num_envs
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
            return to_uint8_image(self.envs[0].render())

    def close(self) -> None:
        for env in self.envs:
            env.close()


def make_gymnasium(name: str, renderable: bool):
    """One environment. What Gymnasium would check at each step is left out: it costs more than small environments."""
    import gymnasium

    configure_headless(renderable)
    check_import(name)
    try:
        if module := imported_module(name):
            import_user_module(module)
        factory, env = find_factory(name), None
        if renderable:
            with contextlib.suppress(TypeError):  # where it takes no render_mode it is made without, and has no images
                env = factory(render_mode="rgb_array")
        env = factory() if env is None else env
    except gymnasium.error.DependencyNotInstalled as error:
        raise CaudexError(f"{name} needs a package that is missing ({error}); pip install 'caudex[control]'.") from None
    except ModuleNotFoundError as error:
        raise CaudexError(
            f"{name} cannot be made: there is no module {error.name}; install it, or go where it lies."
        ) from None
    except gymnasium.error.UnregisteredEnv:
        names = [*plugin_paths("envs"), *gymnasium.registry]
        raise CaudexError(
            f"{name!r} is not a registered environment.{did_you_mean(name, names)} `caudex list envs` shows all; one of your own is "
            "module:NAME."
        ) from None
    except gymnasium.error.Error as error:
        raise CaudexError(f"{name} cannot be made: {str(error).rstrip('.')}.") from None
    except Exception as error:  # of its own code
        raise CaudexError(f"{name} cannot be made: {type(error).__name__}: {str(error).rstrip('.')}.") from error
    if not isinstance(env, gymnasium.Env):
        raise CaudexError(f"{name} gave a {type(env).__name__}; its entry point must give a gymnasium.Env.")
    return env


def episode_limit(env) -> int:
    """Steps after which the environment truncates its episodes; 0 where it has no limit."""
    while env is not None:
        limit = getattr(env, "_max_episode_steps", None)  # of Gymnasium's TimeLimit
        if limit or (env.spec is not None and env.spec.max_episode_steps):
            return int(limit or env.spec.max_episode_steps)
        env = getattr(env, "env", None)
    return 0


def find_factory(name: str) -> Callable:
    """What makes the environment: of an entry point, else of Gymnasium's registry."""
    import gymnasium

    if name in plugin_paths("envs"):
        return import_attribute(plugin_paths("envs")[name])
    spec = gymnasium.spec(name.rpartition(":")[2])
    spec.order_enforce, spec.disable_env_checker = False, True
    return partial(gymnasium.make, spec)


def check_import(name: str) -> None:
    """Raises CaudexError for module:NAME from a run folder that was not made here: nothing is imported for a stranger."""
    if module := imported_module(name):
        way_out = f"read it, then say --env {name} (in Python: env={str(name)!r})"
        check_trusted(name, f"its environment {name} would import the module {module}", way_out)


def import_user_module(module: str) -> ModuleType:
    """A module of the user's, which may lie in the working directory."""
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109
        sys.path.append(os.getcwd())  # noqa: PTH109
    return importlib.import_module(module)


def configure_headless(renderable: bool) -> None:
    """Without a screen, renderers need these variables, or they complain; and MuJoCo warns of old words in Gymnasium's
    models, on the screen and in a file."""
    if renderable and "DISPLAY" not in os.environ:
        for name, value in {"MUJOCO_GL": "egl", "SDL_VIDEODRIVER": "dummy", "XDG_RUNTIME_DIR": gettempdir()}.items():
            os.environ.setdefault(name, value)
    with contextlib.suppress(Exception):  # it is not there, or finds nothing to paint with
        import mujoco

        mujoco.set_mju_user_warning(lambda text: None)


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
