"""caudex: one trunk, many heads."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["CaudexClassifier", "Learner", "fit", "load", "train"]

_PLACES = {
    "CaudexClassifier": "caudex.systems.few_labels.estimator",
    "Learner": "caudex.core.learner",
    "fit": "caudex.core.fit",
    "load": "caudex.core.system",
    "train": "caudex.cli.python",
}
"""torch is imported only when one of them is asked for"""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'caudex' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
