"""What was lived through, kept and learned from again and again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.compute import PassCounter
from caudex.core.hardware import check_memory
from caudex.core.learner import Learner
from caudex.core.source import Source
from caudex.experience.buffer_files import Segments
from caudex.experience.frame_buffer import FrameBuffer
from caudex.experience.runner import EnvRunner
from caudex.experience.sum_tree import Priorities


class Transition(NamedTuple):
    """The observation stands first."""

    observations: Tensor  # [B, ...]
    actions: Tensor  # int64 [B], or float32 [B, A]
    rewards: Tensor  # float32 [B]: of `steps` steps, discounted, or of those until the episode ended
    next_observations: Tensor  # [B, ...]: what was seen behind them
    discounts: Tensor  # float32 [B]: what `after` is worth; 0 where nothing could follow
    weights: Tensor | None  # float32 [B]: against the bias of priorities
    index: Tensor  # int64 [B]


class Replay(Source):
    """Act by the learner's signal `name`, keep the last `buffer_size` steps, and give batches of them, one for each `every`
    steps of the environment once there are `start`.

    The signal tells `explore(trunk, observations, progress)`. `steps` rewards are added up before `after` counts.
    `priority` > 0 draws those more often whose error was large, to that power (Schaul et al. 2016, section 3.3).
    With a `folder` the memory lies there at each checkpoint, what was written once is not written again. Raises
    CaudexError before acting if the machine's memory does not hold `buffer_size`.
    """

    def __init__(
        self, runner: EnvRunner, learner: Learner, name: str, buffer_size: int, batch: int, learning_starts: int, every: int = 1,
        gamma: float = 0.99, steps: int = 1, priority: float = 0.0, seed: int = 0,
        folder: Path | None = None,
    ):  # fmt: skip
        count = runner.env.count
        rows = max(buffer_size // count, steps + runner.stack + 2)
        size = rows * count * int(np.prod(runner.env.observation.shape)) * runner.observations.itemsize
        check_memory("--buffer-size", buffer_size, size)
        self.runner, self.learner, self.name = runner, (learner,), name  # in a tuple: no part of this source
        self.memory, self.batch, self.learning_starts, self.every = (
            FrameBuffer(runner, rows),
            batch,
            max(learning_starts, 1),
            every,
        )
        self.gamma, self.steps = gamma, steps
        self.priorities = Priorities(rows * count, priority) if priority else None
        self.generator, self.segments = np.random.default_rng(seed), folder and Segments(folder, self.memory)
        self.samples_seen, self.owed, self.drawn, self.passes = 0, 0.0, None, PassCounter()

    @property
    def flops(self) -> float:
        """Of acting."""
        return self.passes.flops

    def __next__(self) -> Transition:
        while self.owed < 1 or self.samples_seen < self.learning_starts or self._ready() < 1:
            self._act()
        self.owed -= 1
        return self.sample()

    @torch.inference_mode()
    def _act(self) -> None:
        (learner,), runner = self.learner, self.runner
        device = next(learner.parameters()).device
        before, ages = runner.observations, runner.lengths.copy()
        signal = learner.signals[self.name]
        if self.samples_seen < self.learning_starts:
            actions = signal.random_actions(len(before)).numpy()
        else:
            seen = torch.from_numpy(before).to(device)
            with self.passes.count_pass("explore", learner, len(before)):
                actions = signal.explore(learner.trunk, seen, learner.progress).cpu().numpy()
            self.owed += len(before) / self.every
        lived = runner.step(actions)
        row = self.memory.add(before, ages, actions, lived)
        self.samples_seen += len(before)
        if self.priorities:  # a row can be drawn once all that came after it is known
            self.priorities.put(self._slots(np.array([(row + self.memory.stack) % self.memory.rows])), 0.0)
            if self._ready():
                self.priorities.put(
                    self._slots(np.array([(self.memory.count - 1 - self.steps) % self.memory.rows])), None
                )

    def _ready(self) -> int:
        """How many rows can be drawn from."""
        return min(self.memory.count, self.memory.rows - self.memory.stack) - self.steps

    def _slots(self, rows: np.ndarray) -> np.ndarray:
        count = self.runner.env.count
        return (rows[:, None] * count + np.arange(count)).ravel()

    def sample(self) -> Transition:
        memory, count, weights = self.memory, self.runner.env.count, None
        if self.priorities:
            slots, chances = self.priorities.draw(self.generator, self.batch)
            power = 0.4 + 0.6 * self.learner[0].progress  # of the correction, up to the whole of it at the end
            weights = (self._ready() * count * chances) ** -power
            weights = torch.from_numpy((weights / weights.max()).astype(np.float32))
        else:
            back = self.generator.integers(self._ready(), size=self.batch) + 1 + self.steps
            slots = ((memory.count - back) % memory.rows) * count + self.generator.integers(count, size=self.batch)
        self.drawn = slots
        rewards, after, worth = memory.ahead(slots, self.steps, self.gamma)
        held = (memory.seen(slots), memory.of(memory.actions, slots), rewards, after, worth)
        return Transition(*map(torch.from_numpy, held), weights, torch.from_numpy(slots))

    def update_priorities(self, errors: Tensor) -> None:
        """Of the batch that was drawn last."""
        if self.priorities:
            self.priorities.put(self.drawn, errors.cpu().numpy())

    def metrics(self) -> dict[str, float]:
        return self.runner.metrics()

    def state_dict(self) -> dict:
        state = {
            "acting": self.runner.state_dict(),
            "samples_seen": self.samples_seen,
            "owed": self.owed,
            "flops": self.flops,
        }
        state["generator"] = json.dumps(self.generator.bit_generator.state)
        state["memory"] = self.segments.save()
        if self.priorities:
            state["priorities"], state["highest"] = (
                torch.from_numpy(self.priorities.leaves.copy()),
                self.priorities.highest,
            )
        return state

    def load_state_dict(self, state: dict) -> None:
        self.runner.load_state_dict(state["acting"])
        self.samples_seen, self.owed, self.passes.flops = state["samples_seen"], state["owed"], state["flops"]
        self.generator.bit_generator.state = json.loads(state["generator"])
        self.segments.load(state["memory"])
        if self.priorities:
            self.priorities.load(state["priorities"].numpy(), state["highest"])
