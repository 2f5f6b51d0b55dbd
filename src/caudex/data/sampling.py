"""Which examples a batch gets: shuffled orders, evenly spaced rows, one process's shard of a batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caudex.core.collectives import num_processes, process_rank
from caudex.core.errors import CaudexError
from caudex.core.hardware import total_memory
from caudex.core.source import SamplesSeen
from caudex.core.typed_json import check_kind


def evenly_spaced(count: int, max_count: int) -> Tensor:
    """int64: at most `max_count` of `count` rows, from the first to the last."""
    return torch.linspace(0, count - 1, min(max_count, count), dtype=torch.float64).long()


def shard_of_process(batch: np.ndarray) -> np.ndarray:
    """The part of a global batch that this process works on."""
    processes = num_processes()
    if processes == 1:
        return batch
    if len(batch) % processes:
        raise CaudexError(
            f"a batch of {len(batch)} cannot be shared out evenly among {processes} processes; choose a multiple."
        )
    size = len(batch) // processes
    return batch[process_rank() * size :][:size]


def check_batch_fits(size: int, bytes_per_example: int) -> None:
    """Raises CaudexError for a batch of `size` examples that this machine can never hold."""
    if size * bytes_per_example > total_memory():
        raise CaudexError(
            f"--batch {size:,} takes {size * bytes_per_example / 1e9:,.0f} GB for its examples alone, this machine has "
            f"{total_memory() / 1e9:,.0f}; give a smaller one."
        )


class BatchSampler:
    """Endless shuffled indices below `count`, `size` at a time, each once an epoch.

    The batch follows from (seed, samples_seen) alone. Of several processes each gets its shard of every batch. Samplers with
    other numbers as their `stream` are independent.
    """

    def __init__(self, count: int, size: int, seed: int, *stream: int):
        self.count, self.size, self._entropy = count, size, (seed, *stream)
        self.samples_seen = 0  # the whole state
        self._orders: dict[int, np.ndarray] = {}  # by epoch

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 [B] the indices, and [B] the epoch of each."""
        start, self.samples_seen = self.samples_seen, self.samples_seen + self.size
        return self.batch_at(start)

    def state_dict(self) -> dict:
        return {"samples_seen": self.samples_seen}

    def load_state_dict(self, state: dict) -> None:
        self.samples_seen = check_kind(state, SamplesSeen)["samples_seen"]

    def batch_at(self, start: int) -> tuple[np.ndarray, np.ndarray]:
        """What `next` returns once `start` samples have been seen."""
        epochs, positions = np.divmod(shard_of_process(np.arange(start, start + self.size)), self.count)
        return self.rows_at(epochs, positions), epochs

    def rows_at(self, epochs: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """int64 [B]: what stands at these positions of the orders of these epochs, which ascend."""
        indices = [self._order(epoch)[positions[epochs == epoch]] for epoch in np.unique(epochs)]
        return np.concatenate(indices).astype(np.int64)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders = {e: order for e, order in self._orders.items() if e >= epoch - 1}
            indices = np.arange(self.count, dtype=np.int32 if self.count < 1 << 31 else np.int64)
            self._orders[epoch] = np.random.default_rng([*self._entropy, epoch]).permutation(indices)
        return self._orders[epoch]


class BalancedSampler(BatchSampler):
    """As `BatchSampler`, with as many examples of each class in every batch as can be; `labels` are class numbers [N].

    Each class goes through its own examples, each once in its own epochs, so that those of a rare class come more often
    (oversampling: Buda et al. 2018, section 2.2).
    """

    def __init__(self, labels: np.ndarray, size: int, seed: int):
        super().__init__(len(labels), size, seed)
        self._rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self._samplers = [BatchSampler(len(rows), size, seed, k) for k, rows in enumerate(self._rows)]

    def batch_at(self, start: int) -> tuple[np.ndarray, np.ndarray]:
        turns, classes = np.divmod(shard_of_process(np.arange(start, start + self.size)), len(self._rows))
        indices, epochs = np.empty_like(turns), np.empty_like(turns)
        for k in np.unique(classes):
            epochs[classes == k], positions = np.divmod(turns[classes == k], len(self._rows[k]))
            indices[classes == k] = self._rows[k][self._samplers[k].rows_at(epochs[classes == k], positions)]
        return indices, epochs
