"""Off-policy batches: act, store the steps in a replay buffer, and sample from it."""

from __future__ import annotations

from typing import NamedTuple, NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from caudex.core.compute import PassCounter
from caudex.core.hardware import check_memory
from caudex.core.learner import Learner
from caudex.core.root_folder import RootFolder
from caudex.core.source import Source
from caudex.core.typed_json import Amount, Count, check_kind
from caudex.core.weights import check_tensor
from caudex.experience.buffer_files import BufferFiles
from caudex.experience.frame_buffer import FrameBuffer
from caudex.experience.generator_state import load_generator, save_generator
from caudex.experience.runner import EnvRunner
from caudex.experience.sum_tree import SumTree


class Transition(NamedTuple):
    """The observation stands first."""

    observations: Tensor  # [B, ...]
    actions: Tensor  # int64 [B], or float32 [B, A]
    rewards: Tensor  # float32 [B]: of `n_step` steps, discounted, or of those until the episode ended
    next_observations: Tensor  # [B, ...]: after these steps
    discounts: Tensor  # float32 [B]: of the value of `next_observations`; 0 where terminated
    weights: Tensor | None  # float32 [B]: importance weights, which correct the bias of priorities
    index: Tensor  # int64 [B]


class ReplayState(TypedDict):
    runner: dict
    samples_seen: Count
    pending_batches: Amount
    flops: Amount
    rng: str
    buffer: dict
    priorities: NotRequired[Tensor]
    max_priority: NotRequired[Amount]


class ReplaySource(Source):
    """Act by the learner's signal `name`, store the last `buffer_size` steps, and sample one batch for every `train_freq` steps
    of the environment once there are `learning_starts`.

    The signal has `random_actions(observations)` and `explore(trunk, observations, progress)`. `n_step` rewards are added up before
    the value of `next_observations` counts. `priority` > 0 samples by the error to that power (Schaul et al. 2016, section
    3.3). With a `folder` the buffer is saved there at each checkpoint, of which `keep` stay; what was written once is not
    written again. Raises CaudexError before acting if the machine's memory does not hold `buffer_size`.
    """

    sample_unit = "env steps"

    def __init__(
        self, runner: EnvRunner, learner: Learner, name: str, buffer_size: int, batch: int, learning_starts: int,
        train_freq: int = 1, gamma: float = 0.99, n_step: int = 1, priority: float = 0.0, seed: int = 0,
        folder: RootFolder | None = None, keep: int = 1,
    ):  # fmt: skip
        num_envs = runner.env.num_envs
        rows = max(buffer_size // num_envs, n_step + runner.frame_stack + 2)
        nbytes = rows * num_envs * int(np.prod(runner.env.observation_space.shape)) * runner.observations.itemsize
        check_memory("--buffer-size", buffer_size, nbytes)
        self.runner, self.learner, self.name = runner, (learner,), name  # in a tuple: no part of this source
        self.buffer, self.batch = FrameBuffer(runner, rows), batch
        self.learning_starts, self.train_freq = max(learning_starts, 1), train_freq
        self.gamma, self.n_step = gamma, n_step
        self.priorities = SumTree(rows * num_envs, priority) if priority else None
        self.rng, self.files = np.random.default_rng(seed), folder and BufferFiles(folder, self.buffer, keep)
        self.samples_seen, self.pending_batches, self.sampled_slots = 0, 0.0, None
        self.pass_counter = PassCounter()

    @property
    def flops(self) -> float:
        """Of acting."""
        return self.pass_counter.flops

    def __next__(self) -> Transition:
        while self.pending_batches < 1 or self.samples_seen < self.learning_starts or self._num_ready_rows() < 1:
            self._act()
        self.pending_batches -= 1
        return self.sample()

    @torch.inference_mode()
    def _act(self) -> None:
        (learner,), runner = self.learner, self.runner
        observations, episode_steps = runner.observations, runner.episode_lengths.copy()
        signal = learner.signals[self.name]
        if self.samples_seen < self.learning_starts:
            actions = signal.random_actions(torch.from_numpy(observations)).cpu().numpy()
        else:
            on_device = torch.from_numpy(observations).to(learner.device)
            with self.pass_counter.count_pass("explore", learner, len(observations)):
                actions = signal.explore(learner.trunk, on_device, learner.progress).cpu().numpy()
            self.pending_batches += len(observations) / self.train_freq
        step = runner.step(actions)
        row = self.buffer.add(observations, episode_steps, actions, step)
        self.samples_seen += len(observations)
        if self.priorities:  # a row can be sampled once all that came after it is known
            overwritten_stack = (row + self.buffer.frame_stack) % self.buffer.rows
            self.priorities.update(self._slots(np.array([overwritten_stack])), 0.0)
            if self._num_ready_rows():
                newest_ready = (self.buffer.num_added - 1 - self.n_step) % self.buffer.rows
                self.priorities.update(self._slots(np.array([newest_ready])), None)

    def _num_ready_rows(self) -> int:
        """How many rows can be sampled."""
        return min(self.buffer.num_added, self.buffer.rows - self.buffer.frame_stack) - self.n_step

    def _slots(self, rows: np.ndarray) -> np.ndarray:
        num_envs = self.runner.env.num_envs
        return (rows[:, None] * num_envs + np.arange(num_envs)).ravel()

    def sample(self) -> Transition:
        """A batch from the buffer."""
        buffer, num_envs, weights = self.buffer, self.runner.env.num_envs, None
        if self.priorities:
            slots, probabilities = self.priorities.sample(self.rng, self.batch)
            beta = 0.4 + 0.6 * self.learner[0].progress  # of the correction, which is complete at the end
            weights = (self._num_ready_rows() * num_envs * probabilities) ** -beta
            weights = torch.from_numpy((weights / weights.max()).astype(np.float32))
        else:
            rows_back = self.rng.integers(self._num_ready_rows(), size=self.batch) + 1 + self.n_step
            rows = (buffer.num_added - rows_back) % buffer.rows
            slots = rows * num_envs + self.rng.integers(num_envs, size=self.batch)
        self.sampled_slots = slots
        rewards, next_observations, discounts = buffer.n_step_returns(slots, self.n_step, self.gamma)
        arrays = (buffer.observations(slots), buffer.take(buffer.actions, slots), rewards, next_observations, discounts)
        return Transition(*map(torch.from_numpy, arrays), weights, torch.from_numpy(slots))

    def update_priorities(self, errors: Tensor) -> None:
        """By the errors of the last batch."""
        if self.priorities:
            self.priorities.update(self.sampled_slots, errors.cpu().numpy())

    def metrics(self) -> dict[str, float]:
        return self.runner.metrics()

    def state_dict(self) -> dict:
        state = {
            "runner": self.runner.state_dict(),
            "samples_seen": self.samples_seen,
            "pending_batches": self.pending_batches,
            "flops": self.flops,
            "rng": save_generator(self.rng),
            "buffer": self.files.save(),
        }
        if self.priorities:
            state["priorities"] = torch.from_numpy(self.priorities.leaves.copy())
            state["max_priority"] = self.priorities.max_priority
        return state

    def load_state_dict(self, state: dict) -> None:
        check_kind(state, ReplayState)
        self.runner.load_state_dict(state["runner"])
        self.samples_seen, self.pending_batches = state["samples_seen"], state["pending_batches"]
        self.pass_counter.flops = state["flops"]
        load_generator(self.rng, state["rng"])
        self.files.load(state["buffer"])
        if self.priorities:
            priorities = state.get("priorities")
            leaves = self.priorities.leaves
            check_tensor(
                "priorities", torch.empty(0) if priorities is None else priorities, torch.float64, leaves.shape
            )
            if not (priorities.isfinite() & (priorities >= 0)).all():
                raise ValueError("its priorities are none")
            self.priorities.load(priorities.numpy(), state.get("max_priority", 1.0))
