"""What an environment is: environments side by side that one acts in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from caudex.core.specs import ActionSpec, EnvSpec


class Outcome(NamedTuple):
    """What a step of N environments brings."""

    observations: np.ndarray  # [N, ...], those after the step, also where an episode has ended with it
    rewards: np.ndarray  # float64 [N]
    terminated: np.ndarray  # bool [N]: nothing can follow
    truncated: np.ndarray  # bool [N]: only the time is up
    lost: np.ndarray | None = None  # bool [N]: a life; the episode goes on, but who learns shall take it for an end
    metres: np.ndarray | None = None  # float64 [N]: how far along x each body has come; NaN where it is not told


class Env:
    """`count` environments of one kind, stepped together; `observation` and `action` are Gymnasium spaces of one.

    Nothing begins anew by itself: `reset(seeds, which)` does it where `which` says so. An episode follows from its seed
    and the actions in it, unless `exact` is False. Images are uint8 [C, H, W]: one frame; whoever acts stacks them.
    """

    name: str
    count: int
    observation: Any
    action: Any
    exact: bool = True
    cut: float = 0.0
    """what rewards are cut to for those who learn, where that was published; 0: they are as they are"""
    longest: int = 0
    """steps for which an episode is played where policies are compared; 0: to its end"""
    rate: float = 30
    """images a second at which it is to be watched"""

    @property
    def actions(self) -> ActionSpec:
        """The action space, as signals need it."""
        if self.action.shape:
            return ActionSpec(low=tuple(self.action.low.tolist()), high=tuple(self.action.high.tolist()))
        return ActionSpec(int(self.action.n))

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Begin episodes from int64 [N] seeds where bool [N] `which`; the observations of all, [N, ...]."""
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> Outcome:
        """One action each: int64 [N], or float32 [N, A]. Raises CaudexError where an environment fails."""
        raise NotImplementedError

    def image(self) -> np.ndarray:
        """uint8 [H, W, 3]: what the first environment looks like."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what the environments hold."""


def anything(action: Any, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Observations [N, ...] to actions of the space `action`, all of which are as likely, whatever is seen."""
    draw = np.random.default_rng(seed)
    if action.shape:
        return lambda seen: draw.uniform(action.low, action.high, (len(seen), *action.shape)).astype(np.float32)
    return lambda seen: draw.integers(action.n, size=len(seen))


def described(spec: EnvSpec) -> str:
    """What is seen and done where observations have this `shape` and these are the `actions`, in words."""
    shape, actions = spec.shape, spec.actions
    seen = f"images {tuple(shape)}" if len(shape) == 3 else f"{math.prod(shape)} numbers"
    acts = f"{actions.count} actions" if actions.count else f"{len(actions.low)} numbers to act with"
    return f"{seen} to see, {acts}"
