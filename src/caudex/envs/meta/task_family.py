"""What a family of tasks is, from which each trial draws one."""

from __future__ import annotations

from typing import Any

import numpy as np

from caudex.core.errors import CaudexError

TEST = 1 << 30
"""tasks for tests have seeds from here on, those to learn from have seeds below"""


class Family:
    """Tasks of one kind, `count` of them at hand, an episode of each under way; all are stepped together.

    A task follows from its seed alone, and what happens in it from the seed and all actions since. `limit`: steps after
    which an episode is cut, by the trial. Spaces are Gymnasium's, of one task; images are uint8 [C, H, W].
    """

    name: str
    count: int
    limit: int
    observation: Any
    action: Any

    def sample(self, seeds: np.ndarray, which: np.ndarray) -> None:
        """Draw tasks from int64 [N] seeds in [0, 2 TEST) where bool [N] `which`."""
        raise NotImplementedError

    def begin(self, which: np.ndarray) -> np.ndarray:
        """Begin an episode of the task at hand where bool [N] `which`; the observations of all, [N, ...]."""
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Observations [N, ...], rewards float64 [N], and bool [N] where the episode has ended by itself."""
        raise NotImplementedError

    def image(self) -> np.ndarray:
        """uint8 [H, W, 3]: what the first task looks like."""
        raise CaudexError(f"{self.name} cannot be looked at.")

    def close(self) -> None:
        """Let go of what the tasks hold."""


def spaces():
    """Gymnasium's module of spaces; raises CaudexError where it is missing."""
    try:
        from gymnasium import spaces
    except ImportError:
        raise CaudexError("environments need the package gymnasium: pip install 'caudex[control]'.") from None
    return spaces
