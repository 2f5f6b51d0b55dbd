"""Games by their names."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from caudex.core.env_names import parse_env_name
from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean, import_attribute, plugin_paths
from caudex.core.trust import check_trusted
from caudex.envs.adapters.gymnasium_factory import BY_NAME, import_from_module
from caudex.envs.boards.game import Game
from caudex.envs.watchdog import error_location

NAMES = ("tic-tac-toe", "connect-four", "go-5", "go-9", "go-13", "go-19", "othello", "hex-7", "hex-11", "chess")
"""of the games that come with the package; Go and Hex have other sizes too"""
OPEN_SPIEL = {"tic-tac-toe": "tic_tac_toe", "othello": "othello", "chess": "chess"}
PACKAGES = {"pyspiel": "open-spiel", "chess": "chess", "numba": "numba"}
"""of the extra `games`, by their modules"""


def find_game(name: str) -> Game:
    """The game of that name: one of `NAMES`, go-N from 3 to 19, hex-N from 2 to 26, open_spiel:NAME, an entry point of the group
    `caudex.games`, or module:NAME, a class of the user's. Settings may follow: go-5?komi=24.5&history=4.

    Raises CaudexError for an unknown name or setting, for a missing package, and for a module that a stranger's run names.
    """
    id_, settings = parse_game_name(name)
    try:
        factory = game_factory(id_, name)
        check_setting_names(name, factory, settings)
        game = factory(**settings)
    except CaudexError:
        raise
    except ModuleNotFoundError as error:
        if package := PACKAGES.get(error.name):
            raise CaudexError(f"{name} needs the package {package}: pip install 'caudex[games]'.") from None
        raise CaudexError(f"{name}: there is no module {error.name}; install it, or go where it lies.") from None
    except Exception as error:  # of a user's code
        reason = f"{type(error).__name__}: {str(error).rstrip('.')}"
        raise CaudexError(f"{name} cannot be made: {reason}{error_location(error.__traceback__)}.") from error
    if not isinstance(game, Game):
        raise CaudexError(f"{name} gave {type(game).__name__}; give a class derived from caudex.envs.boards.Game.")
    return game


def game_names() -> list[str]:
    """What `find_game` takes: our own, the entry points, and the games of OpenSpiel where it is installed."""
    names = [*NAMES, *sorted(plugin_paths("games"))]
    with contextlib.suppress(ModuleNotFoundError):
        from caudex.envs.boards.open_spiel import open_spiel_names

        names += [f"open_spiel:{name}" for name in open_spiel_names()]
    return names


def parse_game_name(name: str) -> tuple[str, dict[str, Any]]:
    """The name without its settings, and the settings. Raises CaudexError where they are not key=value."""
    id_, _, query = name.partition("?")
    if "|" in name or any("=" not in pair for pair in query.split("&") if query):
        raise CaudexError(f"{name}: settings follow as key=value, as in go-5?komi=24.5&history=4.")
    settings = parse_env_name(name).values()
    for key, value in settings.items():
        if not isinstance(value, (bool, int, float)):  # OpenSpiel has games that open a file
            check_trusted(name, f"its game {name} would be made with {key}={value}", way_out(name))
    return id_, settings


def game_factory(id_: str, name: str) -> Callable[..., Game]:
    """The class, or function, that makes the game of settings."""
    if match := re.fullmatch(r"go-(\d{1,9})", id_):
        from caudex.envs.boards.go import Go

        return partial(Go, int(match[1]))
    if id_ == "connect-four":
        from caudex.envs.boards.connect_four import ConnectFour

        return ConnectFour
    if id_ in OPEN_SPIEL or id_.startswith("open_spiel:"):
        from caudex.envs.boards.open_spiel import OpenSpielGame

        return partial(OpenSpielGame, OPEN_SPIEL.get(id_) or id_.removeprefix("open_spiel:"), id_)
    if match := re.fullmatch(r"hex-(\d{1,9})", id_):
        if not 2 <= int(match[1]) <= 26:
            raise CaudexError(f"{id_}: Hex is played here on boards from hex-2 to hex-26.")
        from caudex.envs.boards.open_spiel import OpenSpielGame

        return partial(OpenSpielGame, "hex", id_, board_size=int(match[1]))
    if path := plugin_paths("games").get(id_):
        return import_attribute(path)
    if ":" in id_:
        return import_game_class(name, id_)
    names = [*NAMES, *plugin_paths("games")]
    raise CaudexError(
        f"{id_!r} is not a game.{did_you_mean(id_, names)} `caudex list games` shows all; one of your own is module:NAME."
    )


def import_game_class(name: str, place: str) -> Callable[..., Game]:
    """The class that module:NAME names; the module may lie in the working directory. Nothing is imported for a stranger: a name that a
    run from elsewhere gives raises CaudexError."""
    module = place.rpartition(":")[0]
    check_trusted(name, f"its game {name} would import the module {module}", way_out(name))
    return import_from_module(place)


def way_out(name: str) -> str:
    return f"read it; `caudex train alpha-zero --game {name}` makes a run of your own"


def check_setting_names(name: str, factory: Callable, settings: dict[str, Any]) -> None:
    """Raises CaudexError for a setting that the game does not take; OpenSpiel itself knows those of its games."""
    parameters = inspect.signature(factory).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind in BY_NAME]
    unknown = [key for key in settings if key not in names]
    if unknown and all(parameter.kind != inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        takes = f"takes {', '.join(names)}" if names else "takes none"
        raise CaudexError(f"{name}: there is no setting {unknown[0]!r}.{did_you_mean(unknown[0], names)} It {takes}.")
