"""The one error that users meet: a sentence with the offending value and the way out."""

from __future__ import annotations


class CaudexError(Exception):
    """Something the user can mend. The command line prints it as one line and exits with 2."""


def short_message(error: BaseException) -> str:
    """The first line of the error's message, at most 200 characters of it, or the name of its class."""
    return [*str(error).splitlines(), ""][0][:200] or type(error).__name__
