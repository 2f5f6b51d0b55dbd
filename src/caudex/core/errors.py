"""The one error that users meet: a sentence with the offending value and the way out."""

from __future__ import annotations


class CaudexError(Exception):
    """Something the user can mend. The command line prints it as one line and exits with 2."""


class EnvError(CaudexError):
    """An environment failed, or broke its contract; a training adds how it goes on."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """1 file, 2,000 files; `plural` where it does not end in s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def short_message(error: BaseException) -> str:
    """The first line of the error's message, at most 200 characters of it, or the name of its class."""
    return [*str(error).splitlines(), ""][0][:200] or type(error).__name__
