"""caudex: one trunk, many heads."""

from typing import Any

__version__ = "0.1.0"


def load(run: str) -> Any:
    """What training left in a run folder: an object with `.trunk`, `.signals` and verbs such as `predict`.

    Raises CaudexError where the folder holds no finished training.
    """
    from caudex.core.system import load  # torch is imported only when it is needed

    return load(run)
