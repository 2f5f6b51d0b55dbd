"""Gymnasium environments of any kind, one after the other in this process."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from tempfile import gettempdir

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.adapters.mujoco_visuals import to_be_seen
from caudex.envs.env import Env, Outcome
from caudex.envs.watchdog import telling, watch

LONGEST = 10_000
"""steps after which an episode without a limit of time is cut where policies are compared; it might never end"""


class Separate(Env):
    """`count` environments that `gymnasium.make` knows by `name`; with `shown`, the first can be looked at.

    Observations: vectors as float32, images [H, W, C] as uint8 [C, H, W] (of true and false 0 and 255), numbers of a
    `Discrete` space one-hot. Raises CaudexError for an unknown name, a missing package, and spaces of other kinds.
    """

    def __init__(self, name: str, count: int, shown: bool = False):
        watch()
        self.name, self.count = name, count
        self.environments = [made(name, shown and i == 0) for i in range(count)]
        quality = getattr(getattr(getattr(self.environments[0].unwrapped, "model", None), "vis", None), "quality", None)
        if quality:  # without a graphics card, shadows and smooth edges cost a hundred times as much as all the rest
            quality.shadowsize, quality.offsamples = 0, 0
        if shown:
            to_be_seen(self.environments[0].unwrapped)
        there, self.action = self.environments[0].observation_space, self.environments[0].action_space
        self.observation, self.converted = converter(name, there)
        check_actions(name, self.action)
        self.box, self.longest = hasattr(self.action, "low"), 0 if limit_of(self.environments[0]) else LONGEST
        self.rate = self.environments[0].metadata.get("render_fps") or self.rate
        self.held = np.zeros((count, *self.observation.shape), self.observation.dtype)

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        for i in np.flatnonzero(which):
            with telling(self.name, "begins an episode"):
                observation = self.environments[i].reset(seed=int(seeds[i]) % (1 << 31))[0]
                self.held[i] = self.converted(observation)
        return self.held.copy()

    def step(self, actions: np.ndarray) -> Outcome:
        rewards, ended, late = np.zeros(self.count), np.zeros(self.count, bool), np.zeros(self.count, bool)
        metres = np.full(self.count, np.nan)
        with telling(self.name, "steps") as call:
            for i, (environment, action) in enumerate(
                zip(self.environments, actions if self.box else actions.tolist())
            ):
                call.place = i
                observation, rewards[i], ended[i], late[i], about = environment.step(action)
                self.held[i] = self.converted(observation)
                metres[i] = about.get("x_position", np.nan)  # Gymnasium's bodies that run, hop and swim tell it
        return Outcome(self.held.copy(), rewards, ended, late & ~ended, metres=metres)

    def image(self) -> np.ndarray:
        with telling(self.name, "is painted"):
            return as_bytes(self.environments[0].render())

    def close(self) -> None:
        for environment in self.environments:
            environment.close()


def made(name: str, shown: bool):
    """One environment. What Gymnasium would check at each step is left out: it costs more than small environments."""
    import gymnasium

    without_screen(shown)
    try:
        module, _, rest = name.rpartition(":")
        if module:
            look_here()
            importlib.import_module(module)
        spec = gymnasium.spec(rest)
        spec.order_enforce, spec.disable_env_checker = False, True
        if shown:
            with contextlib.suppress(TypeError):  # where it takes no render_mode it is made without, and has no images
                return gymnasium.make(spec, render_mode="rgb_array")
        return gymnasium.make(spec)
    except gymnasium.error.DependencyNotInstalled as error:
        raise CaudexError(f"{name} needs a package that is missing ({error}); pip install 'caudex[control]'.") from None
    except ModuleNotFoundError as error:
        raise CaudexError(
            f"{name} cannot be made: there is no module {error.name}; install it, or go where it lies."
        ) from None
    except gymnasium.error.UnregisteredEnv:
        known = [spec.id for spec in gymnasium.registry.values()]
        raise CaudexError(
            f"{name!r} is not a registered environment.{did_you_mean(name, known)} `caudex list envs` shows all; one of your own is "
            "module:NAME."
        ) from None
    except gymnasium.error.Error as error:
        raise CaudexError(f"{name} cannot be made: {str(error).rstrip('.')}.") from None
    except Exception as error:  # of its own code
        raise CaudexError(f"{name} cannot be made: {type(error).__name__}: {str(error).rstrip('.')}.") from error


def limit_of(environment) -> int:
    """Steps after which the environment's episodes are cut, 0 where nothing says so."""
    while environment is not None:
        limit = getattr(environment, "_max_episode_steps", None)  # of Gymnasium's TimeLimit
        if limit or (environment.spec is not None and environment.spec.max_episode_steps):
            return int(limit or environment.spec.max_episode_steps)
        environment = getattr(environment, "env", None)
    return 0


def look_here() -> None:
    """Let modules be found that lie where one works, as environments of one's own do."""
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109
        sys.path.append(os.getcwd())  # noqa: PTH109


def without_screen(shown: bool) -> None:
    """Without a screen, those that paint must be told how, or they complain; and MuJoCo warns of old words in Gymnasium's
    models, on the screen and in a file."""
    if shown and "DISPLAY" not in os.environ:
        for name, value in {"MUJOCO_GL": "egl", "SDL_VIDEODRIVER": "dummy", "XDG_RUNTIME_DIR": gettempdir()}.items():
            os.environ.setdefault(name, value)
    with contextlib.suppress(Exception):  # it is not there, or finds nothing to paint with
        import mujoco

        mujoco.set_mju_user_warning(lambda text: None)


def converter(name: str, space):
    """(the space of what we hand out, what turns an observation into it). That raises CaudexError for an observation of
    another shape than its space: numpy would stretch it, and say nothing."""
    shown, turned = handed_out(name, space)

    def converted(observation):
        seen = turned(observation)
        if seen.shape != shown.shape:
            raise CaudexError(
                f"the environment {name} showed an observation of shape {seen.shape}, but its observation_space says {shown.shape}; "
                "mend it (reset gives an observation and a dict); `caudex resume` goes on from a checkpoint, where there is one."
            )
        return seen

    return shown, converted


def handed_out(name: str, space):
    """(the space of what we hand out, what turns an observation that fits into it)."""
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


def as_bytes(image) -> np.ndarray:
    """What an environment paints, as uint8 [H, W, 3]; floats are shares of full light, as MinAtar has them."""
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
