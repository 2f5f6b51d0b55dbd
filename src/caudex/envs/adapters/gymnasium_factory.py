"""Makes one Gymnasium environment from its name."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import partial
from tempfile import gettempdir
from types import ModuleType
from typing import Any

from caudex.core.env_names import EnvName, parse_env_name
from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean, import_attribute, plugin_paths
from caudex.core.trust import check_trusted, env_code
from caudex.envs.objects import is_object, object_factory
from caudex.envs.watchdog import error_location

BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def make_gymnasium(name: str, renderable: bool) -> Any:
    """One environment. What Gymnasium would check at each step is left out: it costs more than small environments."""
    import gymnasium

    configure_headless(renderable)
    check_import(name)
    parts, factory = parse_env_name(name), None
    try:
        factory = env_factory(parts)
        env = make_renderable(factory, parts.values()) if renderable else factory(**parts.values())
        for wrapper in parts.wrappers:
            check_is_env(parts.id, env)
            env = import_from_module(wrapper)(env)
    except gymnasium.error.DependencyNotInstalled as error:
        raise CaudexError(f"{name} needs a package that is missing ({error}); pip install 'caudex[control]'.") from None
    except ModuleNotFoundError as error:
        raise CaudexError(
            f"{name} cannot be made: there is no module {error.name}; install it, or go where it lies."
        ) from None
    except gymnasium.error.UnregisteredEnv:
        names = [*plugin_paths("envs"), *gymnasium.registry]
        raise CaudexError(
            f"{parts.id!r} is not a registered environment.{did_you_mean(parts.id, names)} `caudex list envs` shows all; one of a "
            "package is PACKAGE:ID, as minigrid:MiniGrid-Empty-5x5-v0; one of your own is module:NAME, where NAME is an id, class or function."
        ) from None
    except gymnasium.error.Error as error:
        raise CaudexError(f"{name} cannot be made: {str(error).rstrip('.')}.") from None
    except CaudexError:
        raise
    except Exception as error:  # of its own code
        if isinstance(error, TypeError) and factory and (sentence := explain_arguments(parts, factory)):
            raise CaudexError(sentence) from None
        reason = f"{type(error).__name__}: {str(error).rstrip('.')}"
        raise CaudexError(f"{name} cannot be made: {reason}{error_location(error.__traceback__)}.") from error
    check_is_env(name, env)
    return env


def check_is_env(name: str, env: Any) -> None:
    import gymnasium

    if not isinstance(env, gymnasium.Env):
        raise CaudexError(f"{name} gave {type(env).__name__}; it must give a gymnasium.Env.")


def make_renderable(factory: Callable, arguments: dict[str, Any]) -> Any:
    """The environment with images; without them where it has none."""
    with contextlib.suppress(Exception):  # it takes no render_mode, or not this one; other faults come again below
        return factory(**arguments, render_mode="rgb_array")
    return factory(**arguments)


def episode_limit(env) -> int:
    """Steps after which the environment truncates its episodes; 0 where it has no limit."""
    while env is not None:
        limit = getattr(env, "_max_episode_steps", None)  # of Gymnasium's TimeLimit
        if limit or (env.spec is not None and env.spec.max_episode_steps):
            return int(limit or env.spec.max_episode_steps)
        env = getattr(env, "env", None)
    return 0


def env_factory(name: EnvName) -> Callable:
    """What makes the environment: an object of this process, an entry point, Gymnasium's registry, or else a class or function of
    the user's module."""
    import gymnasium

    if is_object(name.id):
        return object_factory(name.id)
    if name.id in plugin_paths("envs"):
        return import_attribute(plugin_paths("envs")[name.id])
    module, _, attribute = name.id.rpartition(":")
    imported = import_user_module(module) if module else None
    if attribute not in gymnasium.registry and callable(factory := getattr(imported, attribute, None)):
        return factory
    spec = gymnasium.spec(attribute)
    spec.order_enforce, spec.disable_env_checker = False, True
    return partial(gymnasium.make, spec)


def explain_arguments(name: EnvName, factory: Callable) -> str:
    """A sentence on an argument that the environment does not take, and on those that it takes; "" where each may be one."""
    from gymnasium.envs.registration import load_env_creator

    names = []
    if isinstance(factory, partial):  # of Gymnasium's registry
        entry_point, names = factory.args[0].entry_point, ["max_episode_steps"]
        factory = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    names = argument_names(factory) + names
    unknown = [key for key in name.arguments if key not in names]
    if not unknown:
        return ""
    takes = f"takes {', '.join(names)}" if names else "takes none"
    return f"--env-args {unknown[0]}: {name.id} has no such argument.{did_you_mean(unknown[0], names)} It {takes}."


def argument_names(factory: Callable) -> list[str]:
    """The keyword arguments of a class or function; a class may pass its **kwargs on to its bases."""
    names: list[str] = []
    kinds = [kind for kind in inspect.getmro(factory) if "__init__" in vars(kind)] if inspect.isclass(factory) else []
    for function in [kind.__init__ for kind in kinds if kind is not object] or [factory] * (not kinds):
        parameters = inspect.signature(function).parameters.values()
        names += [parameter.name for parameter in parameters if parameter.kind in BY_NAME]
        if all(parameter.kind != inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            break
    return [name for name in dict.fromkeys(names) if name not in ("self", "render_mode")]  # caudex sets the latter


def check_import(name: str) -> None:
    """Raises CaudexError for code or texts that a run folder which was not made here names: nothing is imported for a stranger."""
    if code := env_code(name):
        way_out = f"read it, then say --env {name} (in Python: env={str(name)!r})"
        check_trusted(name, f"its environment {name} would {code}", way_out)


def import_from_module(place: str) -> Callable:
    """The function or class that module:function names."""
    module, _, attribute = place.rpartition(":")
    imported = import_user_module(module)
    if not callable(function := getattr(imported, attribute, None)):
        functions = [key for key, value in vars(imported).items() if callable(value) and not key.startswith("_")]
        raise CaudexError(
            f"{place}: {module} has no function {attribute!r}.{did_you_mean(attribute, functions)} It has {', '.join(functions) or 'none'}."
        )
    return function


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
