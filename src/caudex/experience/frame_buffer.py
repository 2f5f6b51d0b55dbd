"""The last steps of all environments, frames kept once."""

from __future__ import annotations

import numpy as np

from caudex.experience.runner import EnvRunner, StepResult


class FrameBuffer:
    """The last `rows` steps of N environments. Frames are kept once: a stack, and what came after, are put together when
    asked for. `finals` are the last observations of episodes whose time was up, which no later row shows."""

    def __init__(self, runner: EnvRunner, rows: int):
        count, shape, kind = runner.env.count, runner.env.observation.shape, runner.observations.dtype
        action = runner.env.action
        self.rows, self.places, self.stack, self.channels, self.count = rows, count, runner.stack, shape[0], 0
        self.frames = np.zeros((rows, count, *shape), kind)
        self.actions = np.zeros((rows, count, *action.shape), action.dtype if action.shape else np.int64)
        self.rewards = np.zeros((rows, count), np.float32)
        self.terminated, self.truncated = np.zeros((2, rows, count), bool)
        self.ages = np.zeros((rows, count), np.int32)  # steps since the episode began
        self.finals: dict[int, dict[int, np.ndarray]] = {}  # by row and place

    def add(self, before: np.ndarray, ages: np.ndarray, actions: np.ndarray, lived: StepResult) -> int:
        """One step of all; returns its row."""
        row = self.count % self.rows
        self.finals.pop(row, None)
        self.frames[row] = before[:, -self.channels :] if self.stack > 1 else before
        self.actions[row], self.rewards[row], self.ages[row] = actions, lived.rewards, ages
        self.terminated[row], self.truncated[row] = lived.terminated, lived.truncated
        for i in np.flatnonzero(lived.truncated):
            self.finals.setdefault(row, {})[int(i)] = lived.next_observations[i].copy()
        self.count += 1
        return row

    def of(self, kept: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """[B, ...]: what is kept at these slots; slot row * N + i is that of environment i."""
        return kept.reshape(-1, *kept.shape[2:]).take(slots, 0)

    def seen(self, slots: np.ndarray) -> np.ndarray:
        """[B, ...]: what was seen there."""
        if self.stack == 1:
            return self.of(self.frames, slots)
        ages, parts = self.of(self.ages, slots), []
        for back in reversed(range(self.stack)):
            parts.append(self.of(self.frames, (slots - np.minimum(back, ages) * self.places) % self.ages.size))
        return np.concatenate(parts, 1)

    def ahead(self, slots: np.ndarray, steps: int, gamma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards [B] of up to `steps` steps, what was seen behind them [B, ...], what it is worth [B]."""
        size, last, rewards = self.ages.size, slots, self.of(self.rewards, slots)
        goes_on, worth = np.ones(len(slots), bool), np.full(len(slots), gamma, np.float32)
        for step in range(1, steps):
            goes_on &= ~(self.of(self.terminated, last) | self.of(self.truncated, last))
            at = (slots + step * self.places) % size
            rewards += goes_on * worth * self.of(self.rewards, at)
            worth, last = np.where(goes_on, worth * gamma, worth), np.where(goes_on, at, last)
        after = self.seen((last + self.places) % size)
        for i in np.flatnonzero(self.of(self.truncated, last)):
            row, place = divmod(int(last[i]), self.places)
            after[i] = self.finals[row][place]
        return rewards, after, worth * ~self.of(self.terminated, last)

    def block(self, first: int, last: int) -> dict[str, np.ndarray]:
        """All that is known of the rows `first` to `last`, counted from the beginning, without the last."""
        rows = np.arange(first, last) % self.rows
        finals = [(row, i, final) for row in rows.tolist() for i, final in self.finals.get(row, {}).items()]
        found = {name: getattr(self, name)[rows] for name in FIELDS}
        found["final_places"] = np.array([place for *place, _ in finals], np.int64).reshape(-1, 2)
        shape = (0, self.stack * self.channels, *self.frames.shape[3:])
        found["finals"] = np.array([final for *_, final in finals]) if finals else np.zeros(shape, self.frames.dtype)
        return found

    def put(self, first: int, block: dict[str, np.ndarray]) -> None:
        """What `block` gave, back in its place."""
        rows = np.arange(first, first + len(block["rewards"])) % self.rows
        for name in FIELDS:
            getattr(self, name)[rows] = block[name]
        for row in rows.tolist():
            self.finals.pop(row, None)
        for (row, i), final in zip(block["final_places"].tolist(), block["finals"]):
            self.finals.setdefault(row, {})[i] = final


FIELDS = ("frames", "actions", "rewards", "terminated", "truncated", "ages")
