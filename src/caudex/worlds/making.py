"""A world by its name."""

from __future__ import annotations

from caudex.errors import CaudexError
from caudex.worlds.world import World


def make(name: str, count: int, shown: bool = False) -> World:
    """`count` environments: NAME of a registered Gymnasium environment, module:NAME, MinAtar/NAME, ALE/GAME-v5 or -v4; control/TASK
    and pixels/TASK are our own, seen as numbers and as pictures.

    `shown`: the first can be looked at. Raises CaudexError for a name that is not known, a package that is missing.
    """
    register(name)
    kind, _, task = name.partition("/")
    if kind in ("control", "pixels"):
        from caudex.worlds.control import Control

        return Control(task, count, kind == "pixels")
    if kind == "ALE":
        from caudex.worlds.atari import Atari

        return Atari(name, count)
    from caudex.worlds.separate import Separate

    return Separate(name, count, shown)


def register(name: str = "") -> None:
    """Let Gymnasium know the environments of the packages that are installed."""
    try:
        import gymnasium
    except ImportError:
        raise CaudexError("worlds need the package gymnasium: pip install 'caudex[control]'.") from None
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

    from caudex.worlds.atari import games
    from caudex.worlds.control import TASKS

    newest: dict[str, str] = {}
    for spec in sorted(gymnasium.registry.values(), key=lambda spec: spec.version or 0):
        newest[spec.id.rpartition("-v")[0] or spec.id] = spec.id
    own = [f"{kind}/{task}" for kind in ("control", "pixels") for task in TASKS]
    return own + sorted(newest.values()) + sorted(games())
