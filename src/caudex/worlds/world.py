"""What a world is: environments side by side that one acts in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Outcome(NamedTuple):
    """What a step of N environments brings."""

    observations: np.ndarray  # [N, ...], those after the step, also where an episode has ended with it
    rewards: np.ndarray  # float64 [N]
    terminated: np.ndarray  # bool [N]: nothing can follow
    truncated: np.ndarray  # bool [N]: only the time is up
    lost: np.ndarray | None = None  # bool [N]: a life; the episode goes on, but who learns shall take it for an end
    metres: np.ndarray | None = None  # float64 [N]: how far along x each body has come; NaN where it is not told


class World:
    """`count` environments of one kind, stepped together; `observation` and `action` are Gymnasium spaces of one.

    Nothing begins anew by itself: `reset(seeds, which)` does it where `which` says so. An episode follows from its seed
    and the actions in it, unless `exact` is False. Pictures are uint8 [C, H, W]: one frame; whoever acts stacks them.
    """

    name: str
    count: int
    observation: Any
    action: Any
    exact: bool = True

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Begin episodes from int64 [N] seeds where bool [N] `which`; the observations of all, [N, ...]."""
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> Outcome:
        """One action each: int64 [N], or float32 [N, A]. Raises CaudexError where an environment fails."""
        raise NotImplementedError

    def picture(self) -> np.ndarray:
        """uint8 [H, W, 3]: what the first environment looks like."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what the environments hold."""
