"""Environments that are given as Python objects: they have a name, as <MyEnv>, in this process alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from caudex.core.env_names import parse_env_name
from caudex.core.errors import CaudexError


class EnvObject(NamedTuple):
    """An environment, its class or a function, and what makes it; `is_single`: there is only the one that was given."""

    source: Any
    factory: Callable
    is_single: bool


named_objects: dict[str, EnvObject] = {}
"""by name"""


def name_env(env: Any, earlier_name: str = "") -> str:
    """The name by which `make` knows an environment: an id as it is, `<...>` for an object, a class, or a function that makes one;
    `earlier_name` where an object of the same kind had that name in an earlier process.

    What `gymnasium.make` made is made again from its spec, so that several can act side by side. Any other object is used itself.
    Raises CaudexError for what is no environment.
    """
    if isinstance(env, str):
        return env
    import gymnasium

    for name, entry in named_objects.items():
        if entry.source is env and earlier_name in ("", name):
            return name
    if isinstance(env, gymnasium.Env):
        remake = spec_factory(env)
        entry = EnvObject(env, remake or (lambda: env), remake is None)
        title = env.spec.id if remake else type(env).__name__
    elif callable(env) and not isinstance(env, gymnasium.vector.VectorEnv):
        entry, title = EnvObject(env, env, False), getattr(env, "__name__", type(env).__name__).strip("<>")
    else:
        raise CaudexError(
            f"env is a {type(env).__name__}; give the id of an environment, a gymnasium.Env, its class, or a function without "
            "arguments that makes one (num_envs says how many act side by side)."
        )
    names = [f"<{title}>", *(f"<{title} {number}>" for number in range(2, len(named_objects) + 3))]
    name = earlier_name if earlier_name in names else next(name for name in names if name not in named_objects)
    named_objects[name] = entry
    return name


@contextmanager
def temporary_name(env: Any) -> Iterator[str]:
    """`name_env` for a while: the object is forgotten afterwards, unless it had a name before."""
    earlier = set(named_objects)
    name = name_env(env)
    try:
        yield name
    finally:
        if name not in earlier:
            named_objects.pop(name, None)


def is_object(name: str) -> bool:
    """Whether the name is that of an environment given as a Python object, perhaps in another process."""
    return name.startswith("<")


def is_single(name: str) -> bool:
    """Whether the name is that of an environment that is itself the only one."""
    id_ = parse_env_name(name).id
    return id_ in named_objects and named_objects[id_].is_single


def object_factory(name: str) -> Callable:
    """Raises CaudexError where this process was not given the environment."""
    if name not in named_objects:
        raise CaudexError(
            f"{name} was given as a Python object, which only its own process knows; in Python, caudex.train(..., env=the same, "
            "run=RUN) goes on with its training, and caudex.load(RUN).evaluate(env, 20) plays it."
        )
    return named_objects[name].factory


def spec_factory(env: Any) -> Callable | None:
    """What makes the environment again from its spec; None where that is not what `gymnasium.make` made."""
    import gymnasium

    try:
        spec = copy.copy(env.spec)
        spec.order_enforce, spec.disable_env_checker = False, True

        def factory(render_mode: str | None = None):
            return gymnasium.make(spec, render_mode=render_mode)

        again = factory()
        again.close()
    except Exception:  # of its own code, or it has no spec, or a wrapper that cannot be made again
        return None
    same = (again.observation_space, again.action_space) == (env.observation_space, env.action_space)
    return factory if same else None
