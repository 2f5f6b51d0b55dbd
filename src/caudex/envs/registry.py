"""Environments by their names."""

from __future__ import annotations

from collections.abc import Sequence

from caudex.core.env_names import EnvName, check_wrappers, parse_arguments, parse_env_name
from caudex.core.errors import CaudexError
from caudex.core.registry import plugin_paths
from caudex.core.trust import mark_like
from caudex.envs.env import Env

CAMERA_KINDS = {"control": "pixels", "dm_control": "dm_pixels"}
"""kinds of environments that observe numbers, and the same environments observed by a camera"""


def make(name: str, num_envs: int, renderable: bool = False) -> Env:
    """`num_envs` environments: NAME of a registered Gymnasium environment or of an entry point, module:NAME, MinAtar/NAME, or <NAME>
    of `name_env`, each with arguments and wrappers (`join_env_name`); ALE/GAME-v5 or -v4; control/TASK and pixels/TASK are our own,
    observed as numbers and as images, dm_control/TASK-v0 and dm_pixels/TASK-v0 those of the DeepMind Control Suite. The width of
    images in pixels may follow: pixels/TASK/64.

    `renderable`: the first can be rendered. Raises CaudexError for an unknown name and for a missing package.
    """
    register_envs(name)
    parts = parse_env_name(name)
    kind, task, size = parse_name(parts.id)
    if kind in (*CAMERA_KINDS, *CAMERA_KINDS.values(), "ALE") and str(parts) != parts.id:
        flag = "--env-args" if parts.arguments else "--wrap"
        raise CaudexError(f"{flag}: {parts.id} is made here, not by Gymnasium, and takes none; leave it out.")
    width = {"size": size} if size else {}
    if kind in ("control", "pixels"):
        from caudex.envs.control.suite import ControlEnv

        return ControlEnv(task, num_envs, kind == "pixels", **width)
    if kind in ("dm_control", "dm_pixels"):
        from caudex.envs.adapters.dm_control import DMControlEnv

        return DMControlEnv(task, num_envs, kind == "dm_pixels", **width)
    if kind == "ALE":
        from caudex.envs.adapters.atari import AtariEnv

        return AtariEnv(name, num_envs)
    from caudex.envs.adapters.gymnasium import GymnasiumEnv

    return GymnasiumEnv(name, num_envs, renderable)


def parse_name(name: str) -> tuple[str, str, int]:
    """Kind, task, and width of the images (0: not given). Raises CaudexError for a width out of range."""
    kind, _, task = name.partition("/")
    if kind not in CAMERA_KINDS.values():
        return kind, task, 0
    task, slash, size = task.partition("/")
    if slash and not (size.isdecimal() and 8 <= int(size) <= 1024):
        raise CaudexError(f"{name}: behind the second / stands how many pixels wide images are, from 8 to 1024.")
    return kind, task, int(size or 0)


def join_env_name(name: str, arguments: Sequence[str] = (), wrappers: Sequence[str] = ()) -> str:
    """The name with further arguments, key=value, and with wrappers, module:function, around it; a stranger's stays one."""
    parts = parse_env_name(name)
    arguments, wrappers = parts.arguments | parse_arguments(arguments), parts.wrappers + check_wrappers(wrappers)
    return mark_like(str(EnvName(parts.id, arguments, wrappers)), name)


def camera_env_name(name: str, size: int = 0) -> str:
    """The name of the same environment observed by a camera, in images `size` pixels wide; `name` itself where there is no
    camera. Raises CaudexError for a size without a camera."""
    kind, task, width = parse_name(name)
    kind, size = CAMERA_KINDS.get(kind, kind), size or width
    if kind in CAMERA_KINDS.values():
        return mark_like(f"{kind}/{task}/{size}" if size else f"{kind}/{task}", name)
    if size:
        raise CaudexError(f"--size {size}: {name} shows what it shows; leave it out.")
    return name


def state_env_name(name: str) -> str | None:
    """The name of the same environment observed as numbers; None where it has no camera."""
    kind, task, _ = parse_name(name)
    return next((f"{state}/{task}" for state, camera in CAMERA_KINDS.items() if kind == camera), None)


def register_envs(name: str = "") -> None:
    """Register the environments of the installed packages with Gymnasium."""
    try:
        import gymnasium
    except ImportError:
        raise CaudexError("environments need the package gymnasium: pip install 'caudex[control]'.") from None
    gymnasium.logger.min_level = gymnasium.logger.ERROR
    if name.startswith("MinAtar") or not name:
        try:
            from minatar import gym
        except ImportError:
            if name:
                raise CaudexError(f"{name} needs the package minatar: pip install 'caudex[control]'.") from None
        else:
            if "MinAtar/Breakout-v1" not in gymnasium.registry:
                gym.register_envs()


def env_names() -> list[str]:
    """All names that `make` takes, of Gymnasium's environments the newest versions alone."""
    register_envs()
    import gymnasium

    from caudex.envs.adapters.atari import atari_games
    from caudex.envs.adapters.dm_control import dm_control_tasks
    from caudex.envs.control.suite import TASKS

    newest: dict[str, str] = {}
    for spec in sorted(gymnasium.registry.values(), key=lambda spec: spec.version or 0):
        newest[spec.id.rpartition("-v")[0] or spec.id] = spec.id
    control = [f"{kind}/{task}" for kind in ("control", "pixels") for task in TASKS]
    dm_control = [f"{kind}/{task}" for kind in ("dm_control", "dm_pixels") for task in dm_control_tasks()]
    return control + dm_control + sorted(newest.values()) + sorted(atari_games()) + sorted(plugin_paths("envs"))
