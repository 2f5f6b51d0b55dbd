"""The last steps of all environments, frames kept once."""

from __future__ import annotations

import numpy as np

from caudex.experience.acting import Acting, Lived


class Memory:
    """The last `rows` steps of N environments. Frames are kept once: a stack, and what came after, are put together when
    asked for. `finals` are the last observations of episodes whose time was up, which no later row shows."""

    def __init__(self, acting: Acting, rows: int):
        count, shape, kind = acting.world.count, acting.world.observation.shape, acting.observations.dtype
        action = acting.world.action
        self.rows, self.stack, self.channels, self.count = rows, acting.stack, shape[0], 0
        self.frames = np.zeros((rows, count, *shape), kind)
        self.actions = np.zeros((rows, count, *action.shape), action.dtype if action.shape else np.int64)
        self.rewards = np.zeros((rows, count), np.float32)
        self.terminated, self.truncated = np.zeros((2, rows, count), bool)
        self.ages = np.zeros((rows, count), np.int32)  # steps since the episode began
        self.finals: dict[int, dict[int, np.ndarray]] = {}  # by row and place

    def add(self, before: np.ndarray, ages: np.ndarray, actions: np.ndarray, lived: Lived) -> int:
        """One step of all; returns its row."""
        row = self.count % self.rows
        self.finals.pop(row, None)
        self.frames[row] = before[:, -self.channels :] if self.stack > 1 else before
        self.actions[row], self.rewards[row], self.ages[row] = actions, lived.rewards, ages
        self.terminated[row], self.truncated[row] = lived.terminated, lived.truncated
        for i in np.flatnonzero(lived.truncated):
            self.finals.setdefault(row, {})[int(i)] = lived.after[i].copy()
        self.count += 1
        return row

    def seen(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """[B, ...]: what was seen at these rows."""
        if self.stack == 1:
            return self.frames[rows, places]
        ages, parts = self.ages[rows, places], []
        for back in reversed(range(self.stack)):
            parts.append(self.frames[(rows - np.minimum(back, ages)) % self.rows, places])
        return np.concatenate(parts, 1)

    def ahead(self, rows: np.ndarray, places: np.ndarray, steps: int, gamma: float):
        """Rewards [B] of up to `steps` steps, what was seen behind them [B, ...], what it is worth [B]."""
        rewards, worth = np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
        over, last = np.zeros(len(rows), bool), rows.copy()
        for step in range(steps):
            at = (rows + step) % self.rows
            rewards += np.where(over, 0, worth * self.rewards[at, places])
            worth = np.where(over, worth, worth * gamma)
            last = np.where(over, last, at)
            over |= self.terminated[at, places] | self.truncated[at, places]
        after = self.seen((last + 1) % self.rows, places)
        for i in np.flatnonzero(self.truncated[last, places]):
            after[i] = self.finals[int(last[i])][int(places[i])]
        return rewards, after, np.where(self.terminated[last, places], 0, worth)

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
