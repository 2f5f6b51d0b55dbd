"""An environment by its name."""

from __future__ import annotations

from caudex.core.errors import CaudexError
from caudex.envs.env import Env

SEEN = {"control": "pixels", "dm_control": "dm_pixels"}
"""kinds of environments that show numbers, and the same environments seen by a camera"""


def make(name: str, count: int, shown: bool = False) -> Env:
    """`count` environments: NAME of a registered Gymnasium environment, module:NAME, MinAtar/NAME, ALE/GAME-v5 or -v4;
    control/TASK and pixels/TASK are our own, seen as numbers and as images, dm_control/TASK-v0 and dm_pixels/TASK-v0
    those of the DeepMind Control Suite. Behind images may stand how many pixels wide they are: pixels/TASK/64.

    `shown`: the first can be looked at. Raises CaudexError for a name that is not known, a package that is missing.
    """
    register(name)
    kind, task, size = parts(name)
    wide = {"size": size} if size else {}
    if kind in ("control", "pixels"):
        from caudex.envs.control.suite import Control

        return Control(task, count, kind == "pixels", **wide)
    if kind in ("dm_control", "dm_pixels"):
        from caudex.envs.adapters.dm_control import Suite

        return Suite(task, count, kind == "dm_pixels", **wide)
    if kind == "ALE":
        from caudex.envs.adapters.atari import Atari

        return Atari(name, count)
    from caudex.envs.adapters.gymnasium import Separate

    return Separate(name, count, shown)


def parts(name: str) -> tuple[str, str, int]:
    """Kind, task, and width of the images, 0 where none is said. Raises CaudexError for a width that is no such."""
    kind, _, task = name.partition("/")
    if kind not in SEEN.values():
        return kind, task, 0
    task, slash, size = task.partition("/")
    if slash and not (size.isdecimal() and 8 <= int(size) <= 1024):
        raise CaudexError(f"{name}: behind the second / stands how many pixels wide images are, from 8 to 1024.")
    return kind, task, int(size or 0)


def with_camera(name: str, size: int = 0) -> str:
    """The name of the same environment seen by a camera, in images `size` pixels wide; of an environment without a camera its own.
    Raises CaudexError for a size where there is none."""
    kind, task, wide = parts(name)
    kind, size = SEEN.get(kind, kind), size or wide
    if kind in SEEN.values():
        return f"{kind}/{task}/{size}" if size else f"{kind}/{task}"
    if size:
        raise CaudexError(f"--size {size}: {name} shows what it shows; leave it out.")
    return name


def without_camera(name: str) -> str | None:
    """The name of the same environment seen as numbers, where it has a camera."""
    kind, task, _ = parts(name)
    return next((f"{numbers}/{task}" for numbers, images in SEEN.items() if kind == images), None)


def register(name: str = "") -> None:
    """Let Gymnasium know the environments of the packages that are installed."""
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


def names() -> list[str]:
    """What `make` knows, newest versions alone."""
    register()
    import gymnasium

    from caudex.envs.adapters.atari import games
    from caudex.envs.adapters.dm_control import tasks
    from caudex.envs.control.suite import TASKS

    newest: dict[str, str] = {}
    for spec in sorted(gymnasium.registry.values(), key=lambda spec: spec.version or 0):
        newest[spec.id.rpartition("-v")[0] or spec.id] = spec.id
    own = [f"{kind}/{task}" for kind in ("control", "pixels") for task in TASKS]
    suite = [f"{kind}/{task}" for kind in ("dm_control", "dm_pixels") for task in tasks()]
    return own + suite + sorted(newest.values()) + sorted(games())
