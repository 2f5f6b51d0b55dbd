"""The contract of a family of tasks, from which each trial draws one."""

from __future__ import annotations

from typing import Any

import numpy as np

from caudex.core.errors import CaudexError

FIRST_TEST_SEED = 1 << 30
"""tasks for tests have seeds from here on, those to learn from have seeds below"""


class TaskFamily:
    """Tasks of one kind, `num_tasks` at a time, each with a running episode; all are stepped together.

    A task follows from its seed alone, and what happens in it from the seed and all actions since. The trial truncates
    episodes after `max_episode_steps`. Spaces are Gymnasium's, of one task; images are uint8 [C, H, W].
    """

    name: str
    num_tasks: int
    max_episode_steps: int
    observation_space: Any
    action_space: Any

    def sample_tasks(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        """Draw new tasks from int64 [N] seeds in [0, 2 FIRST_TEST_SEED) where bool [N] `mask`."""
        raise NotImplementedError

    def reset(self, mask: np.ndarray) -> np.ndarray:
        """Begin an episode of the same task where bool [N] `mask`; the observations of all tasks, [N, ...]."""
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Observations [N, ...], rewards float64 [N], and bool [N] where the episode ended."""
        raise NotImplementedError

    def render(self) -> np.ndarray:
        """uint8 [H, W, 3]: an image of the first task."""
        raise CaudexError(f"{self.name} cannot be looked at.")

    def close(self) -> None:
        """Release what the tasks hold."""


def gymnasium_spaces():
    """The module `gymnasium.spaces`; raises CaudexError where it is missing."""
    try:
        from gymnasium import spaces
    except ImportError:
        raise CaudexError("environments need the package gymnasium: pip install 'caudex[control]'.") from None
    return spaces
