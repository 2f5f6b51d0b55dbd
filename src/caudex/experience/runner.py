"""Environments that go on for ever: each episode begins when the last has ended, from a seed of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.envs import Env
from caudex.envs.watchdog import check_finite


class StepResult(NamedTuple):
    """One step in N environments. `after` is what followed, also where the episode ended with it; `begun` where a new one
    began behind it, whose first observation is then in `Acting.observations`. A life that is lost is `terminated`, too."""

    rewards: np.ndarray  # float64 [N]
    terminated: np.ndarray  # bool [N]
    truncated: np.ndarray  # bool [N]
    next_observations: np.ndarray  # [N, ...]
    begun: np.ndarray  # bool [N]
    metres: np.ndarray | None  # float64 [N]: how far along x each body had come then; NaN where it is not told


class EnvRunner:
    """`observations` [N, ...] is what is seen now, `step(actions)` goes on; of images the last `stack` frames are seen,
    the first of an episode repeated. Where `clipped` is no zero, rewards are handed out cut to it, and told as they are.
    `most`: the steps after which an episode is cut, where it is no zero.

    Resumes exactly: the running episodes are begun again from their seeds, their actions repeated, and what is seen at
    the end compared. Raises CaudexError for a reward or an observation that is no finite number, and where an environment that
    is resumed shows something else.
    """

    def __init__(self, env: Env, seed: int, stack: int = 1, clipped: float = 0.0, most: int = 0):
        self.env, self.seed, self.clipped, self.most = env, seed, clipped, most
        self.stack = stack if len(env.observation.shape) == 3 else 1
        count = env.count
        self.episodes = np.zeros(count, np.int64)  # begun before the running one, of each
        self.totals, self.lengths = np.zeros(count), np.zeros(count, np.int64)
        self.ended: list[tuple[int, float, int]] = []  # place, return and length of each episode since `told`
        self.past: list[list] = [[] for _ in range(count)]  # actions of the running episodes
        first = self._begin(np.ones(count, bool))
        self.observations = np.tile(first, (1, self.stack, 1, 1)) if self.stack > 1 else first

    @property
    def shape(self) -> tuple[int, ...]:
        first, *rest = self.env.observation.shape
        return (first * self.stack, *rest)

    def step(self, actions: np.ndarray) -> StepResult:
        """int64 [N], or float32 [N, A] within the bounds of the environment's actions."""
        for past, action in zip(self.past, actions):
            past.append(action)
        found = self.env.step(actions)
        numbers = [found.rewards] + ([found.observations] if self.observations.dtype.kind == "f" else [])
        check_finite(self.env.name, numbers, f" after {int(self.lengths.max()) + 1:,} steps of an episode")
        self.totals += found.rewards
        self.lengths += 1
        after = self.observations = self._behind(found.observations)
        truncated = found.truncated | (self.lengths >= (self.most or np.inf))
        over = found.terminated | truncated
        if over.any():
            self.ended += zip(np.flatnonzero(over).tolist(), self.totals[over].tolist(), self.lengths[over].tolist())
            for i in np.flatnonzero(over):
                self.past[i] = []
            self.totals[over], self.lengths[over] = 0, 0
            self.episodes[over] += 1
            self._begin_again(over)
        terminated = found.terminated if found.lost is None else found.terminated | found.lost
        rewards = np.clip(found.rewards, -self.clipped, self.clipped) if self.clipped else found.rewards
        return StepResult(rewards, terminated, truncated & ~terminated, after, over, found.metres)

    def metrics(self) -> dict[str, float]:
        """Mean return and length of the episodes that ended since it was last asked."""
        ended, self.ended = self.ended, []
        return means(ended)

    def state_dict(self) -> dict:
        return {
            "episodes": torch.from_numpy(self.episodes.copy()),
            "past": [torch.from_numpy(np.array(past)) for past in self.past],
            "ended": [list(each) for each in self.ended],
            "observations": torch.from_numpy(self.observations.copy()),
        }

    def load_state_dict(self, state: dict) -> None:
        count, known = self.env.count, len(state["episodes"])
        if known != count:
            raise CaudexError(
                f"the checkpoint has {known} environments, not {count}; environments must be {known} again."
            )
        shown = state["observations"].numpy()
        if shown.shape[1:] != self.shape:
            raise CaudexError(
                f"the environment {self.env.name} shows {self.shape} now, and {shown.shape[1:]} in the "
                "checkpoint; it has changed, begin a new run."
            )
        self.episodes, self.ended = state["episodes"].numpy().copy(), [tuple(each) for each in state["ended"]]
        self.past = [list(past.numpy()) for past in state["past"]]
        self.lengths = np.array([len(past) for past in self.past])
        self.totals[:] = 0
        longest = int(self.lengths.max())
        for when in range(longest + 1):  # all end at the same time, so the shorter ones begin later
            if (begins := self.lengths == longest - when).any():
                self._begin_again(begins)
            if when < longest:
                live = self.lengths >= longest - when
                actions = [
                    past[len(past) - longest + when] if on else self._idle() for past, on in zip(self.past, live)
                ]
                found = self.env.step(np.stack(actions))
                self.totals += np.where(live, found.rewards, 0)
                self.observations = self._behind(found.observations)
                if (over := (found.terminated | found.truncated) & ~live).any():
                    self._begin_again(over)
        if not np.array_equal(self.observations, shown):
            if self.env.exact:
                raise CaudexError(
                    f"the environment {self.env.name} does not repeat itself: the same seeds and actions show something else "
                    "than in the checkpoint; begin a new run."
                )
            self.episodes += 1
            self.past, self.totals[:], self.lengths[:] = [[] for _ in self.past], 0, 0
            self._begin_again(np.ones(count, bool))

    def _begin(self, which: np.ndarray) -> np.ndarray:
        seeds = [derive_seed(self.seed, "episode", i, int(number)) for i, number in enumerate(self.episodes)]
        first = self.env.reset(np.array(seeds), which)
        if first.dtype.kind == "f":
            check_finite(self.env.name, [first[which]], " as an episode began")
        return first

    def _begin_again(self, which: np.ndarray) -> None:
        first = self._begin(which)[which]
        self.observations = self.observations.copy()
        self.observations[which] = np.tile(first, (1, self.stack, 1, 1)) if self.stack > 1 else first

    def _behind(self, frames: np.ndarray) -> np.ndarray:
        """What is seen once these frames have come."""
        if self.stack == 1:
            return frames
        return np.concatenate([self.observations[:, frames.shape[1] :], frames], 1)

    def _idle(self) -> np.ndarray:
        space = self.env.action
        return np.zeros(space.shape, space.dtype) if space.shape else np.int64(0)


def means(ended: list[tuple[int, float, int]]) -> dict[str, float]:
    """Of the return and the length of episodes, as `Acting.ended` has them."""
    if not ended:
        return {}
    _, returns, lengths = zip(*ended)
    return {"episodes/return": float(np.mean(returns)), "episodes/length": float(np.mean(lengths))}
