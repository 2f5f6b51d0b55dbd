"""Loops over arrays that numba compiles; the extra `games` brings it."""

from __future__ import annotations

from collections.abc import Callable

from caudex.core.errors import CaudexError


def compiled(function: Callable) -> Callable:
    """The function compiled by numba at its first call, without Python's lock; kept on disk between processes where a folder can be
    written. The code that is kept goes by the function's own file: what it calls should stand there, too."""
    try:
        import numba
    except ImportError:
        raise CaudexError("games need the package numba: pip install 'caudex[games]'.") from None
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(nogil=True)(function)
