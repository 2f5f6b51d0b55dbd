"""Storage of the replay buffer: the last steps of all environments, each frame once. `replay.py` samples from it."""

from __future__ import annotations

import numpy as np

from caudex.experience.runner import EnvRunner, StepResult


class FrameBuffer:
    """A ring buffer of the last `rows` steps of N environments. Frames are stored once; stacks and next observations are
    put together when they are read. `final_observations` are those of truncated episodes, which no later row has."""

    def __init__(self, runner: EnvRunner, rows: int):
        num_envs, shape, dtype = runner.env.num_envs, runner.env.observation_space.shape, runner.observations.dtype
        space = runner.env.action_space
        self.rows, self.num_envs, self.frame_stack, self.channels = rows, num_envs, runner.frame_stack, shape[0]
        self.num_added = 0  # rows since the beginning
        self.frames = np.zeros((rows, num_envs, *shape), dtype)
        self.actions = np.zeros((rows, num_envs, *space.shape), space.dtype if space.shape else np.int64)
        self.rewards = np.zeros((rows, num_envs), np.float32)
        self.terminated, self.truncated = np.zeros((2, rows, num_envs), bool)
        self.episode_steps = np.zeros((rows, num_envs), np.int32)  # since the episode began
        self.final_observations: dict[int, dict[int, np.ndarray]] = {}  # by row and environment

    def add(self, observations: np.ndarray, episode_steps: np.ndarray, actions: np.ndarray, step: StepResult) -> int:
        """One step of all environments, from `observations`; returns its row."""
        row = self.num_added % self.rows
        self.final_observations.pop(row, None)
        self.frames[row] = observations[:, -self.channels :] if self.frame_stack > 1 else observations
        self.actions[row], self.rewards[row], self.episode_steps[row] = actions, step.rewards, episode_steps
        self.terminated[row], self.truncated[row] = step.terminated, step.truncated
        for i in np.flatnonzero(step.truncated):
            self.final_observations.setdefault(row, {})[int(i)] = step.next_observations[i].copy()
        self.num_added += 1
        return row

    def take(self, array: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """[B, ...]: the entries of one of the arrays; slot row * N + i is that of environment i."""
        return array.reshape(-1, *array.shape[2:]).take(slots, 0)

    def observations(self, slots: np.ndarray) -> np.ndarray:
        """[B, ...]: the observations before these steps."""
        if self.frame_stack == 1:
            return self.take(self.frames, slots)
        episode_steps, frames = self.take(self.episode_steps, slots), []
        for back in reversed(range(self.frame_stack)):
            earlier = slots - np.minimum(back, episode_steps) * self.num_envs
            frames.append(self.take(self.frames, earlier % self.episode_steps.size))
        return np.concatenate(frames, 1)

    def n_step_returns(self, slots: np.ndarray, n_step: int, gamma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Discounted rewards [B] of up to `n_step` steps, the observations after them [B, ...], and the discounts of their
        values [B], 0 where terminated."""
        size, last, rewards = self.episode_steps.size, slots, self.take(self.rewards, slots)
        live, discounts = np.ones(len(slots), bool), np.full(len(slots), gamma, np.float32)
        for step in range(1, n_step):
            live &= ~(self.take(self.terminated, last) | self.take(self.truncated, last))
            later = (slots + step * self.num_envs) % size
            rewards += live * discounts * self.take(self.rewards, later)
            discounts, last = np.where(live, discounts * gamma, discounts), np.where(live, later, last)
        next_observations = self.observations((last + self.num_envs) % size)
        for i in np.flatnonzero(self.take(self.truncated, last)):
            row, env_index = divmod(int(last[i]), self.num_envs)
            next_observations[i] = self.final_observations[row][env_index]
        return rewards, next_observations, discounts * ~self.take(self.terminated, last)

    def read_rows(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Everything stored of the rows from `first` up to `last`, counted from the beginning."""
        rows = np.arange(first, last) % self.rows
        final = [(row, i, array) for row in rows.tolist() for i, array in self.final_observations.get(row, {}).items()]
        block = {name: getattr(self, name)[rows] for name in ARRAYS}
        block["final_slots"] = np.array([slot for *slot, _ in final], np.int64).reshape(-1, 2)
        shape = (0, self.frame_stack * self.channels, *self.frames.shape[3:])
        block["final_observations"] = (
            np.array([array for *_, array in final]) if final else np.zeros(shape, self.frames.dtype)
        )
        return block

    def check_block(self, first: int, block: dict[str, np.ndarray]) -> None:
        """Raises ValueError for rows that are not those of such a buffer, KeyError where some are missing."""
        count = len(block["rewards"])
        final = block["final_slots"], block["final_observations"]
        shapes = {name: (count, *getattr(self, name).shape[1:]) for name in ARRAYS}
        observation_shape = (self.frame_stack * self.channels, *self.frames.shape[3:])
        shapes |= {"final_slots": (len(final[0]), 2), "final_observations": (len(final[0]), *observation_shape)}
        dtypes = {name: getattr(self, name).dtype for name in ARRAYS}
        dtypes |= {"final_slots": np.dtype(np.int64), "final_observations": self.frames.dtype}
        for name, shape in shapes.items():
            if (block[name].shape, block[name].dtype) != (shape, dtypes[name]):
                raise ValueError(
                    f"{name} is {block[name].dtype} {block[name].shape} and should be {dtypes[name]} {shape}"
                )
        rows = np.arange(first, first + count) % self.rows
        truncated = {(int(rows[t]), int(i)) for t, i in np.argwhere(block["truncated"])}
        if first < 0 or count > self.rows or truncated != set(map(tuple, final[0].tolist())):
            raise ValueError("its rows are of another buffer")

    def write_rows(self, first: int, block: dict[str, np.ndarray]) -> None:
        """Store what `read_rows` returned."""
        rows = np.arange(first, first + len(block["rewards"])) % self.rows
        for name in ARRAYS:
            getattr(self, name)[rows] = block[name]
        for row in rows.tolist():
            self.final_observations.pop(row, None)
        for (row, i), array in zip(block["final_slots"].tolist(), block["final_observations"]):
            self.final_observations.setdefault(row, {})[i] = array


ARRAYS = ("frames", "actions", "rewards", "terminated", "truncated", "episode_steps")
