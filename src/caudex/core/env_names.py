"""The name of an environment says all that makes it: ID?key=value&key=value|module:wrapper."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from caudex.core.errors import CaudexError


class EnvName(NamedTuple):
    """The id of an environment, the arguments that it is made with, as text, and the wrappers around it, innermost first."""

    id: str
    arguments: dict[str, str]
    wrappers: tuple[str, ...]

    def __str__(self) -> str:
        pairs = "&".join(f"{key}={escape(text)}" for key, text in self.arguments.items())
        return "|".join((f"{self.id}?{pairs}" if pairs else self.id, *self.wrappers))

    def values(self) -> dict[str, Any]:
        """The arguments as Python values."""
        return {key: parse_value(text) for key, text in self.arguments.items()}

    def modules(self) -> list[str]:
        """The modules that are imported to make it; none where it is registered and not wrapped."""
        modules = (place.rpartition(":")[0] for place in (self.id, *self.wrappers))
        return list(dict.fromkeys(filter(None, modules)))


def parse_env_name(name: str) -> EnvName:
    """Raises CaudexError for arguments other than key=value, and for wrappers other than module:function."""
    made, *wrappers = name.split("|")
    id_, _, query = made.partition("?")
    arguments = parse_arguments(filter(None, query.split("&")))
    return EnvName(id_, {key: unquote(text) for key, text in arguments.items()}, check_wrappers(wrappers))


def parse_arguments(pairs: Iterable[str]) -> dict[str, str]:
    """key=value, key to text."""
    arguments = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (equals and key.isidentifier()):
            raise CaudexError(f"--env-args {pair}: give an argument and its value, as --env-args map_name=8x8.")
        arguments[key] = text
    return arguments


def check_wrappers(wrappers: Iterable[str]) -> tuple[str, ...]:
    for wrapper in wrappers:
        if not re.fullmatch(r"\w+(\.\w+)*:\w+", wrapper):
            raise CaudexError(
                f"--wrap {wrapper}: give a function or class that takes an environment, as module:function."
            )
    return tuple(wrappers)


def parse_value(text: str) -> Any:
    """What is written as in JSON or Python; any other text as it stands."""
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return parse(text)
    return text


def escape(text: str) -> str:
    """The text without the characters that part a name."""
    return re.sub("[%&|]", lambda character: quote(character[0]), text)
