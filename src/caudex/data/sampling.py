"""Which examples come when: shuffled orders, evenly spread rows, one process's part of a batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.hardware import total_memory


def evenly(count: int, most: int) -> Tensor:
    """int64: at most so many of `count` rows, from the first to the last."""
    return torch.linspace(0, count - 1, min(most, count), dtype=torch.float64).long()


def mine(places: np.ndarray) -> np.ndarray:
    """The part of a global batch that this process works on."""
    if not torch.distributed.is_initialized():
        return places
    processes = torch.distributed.get_world_size()
    if len(places) % processes:
        raise CaudexError(
            f"a batch of {len(places)} cannot be shared out evenly among {processes} processes; choose a multiple."
        )
    share = len(places) // processes
    return places[torch.distributed.get_rank() * share :][:share]


def must_fit(size: int, each: int) -> None:
    """Raises CaudexError for a batch of `size` examples of `each` bytes that this machine can never hold."""
    if size * each > total_memory():
        raise CaudexError(
            f"--batch {size:,} takes {size * each / 1e9:,.0f} GB for its examples alone, this machine has "
            f"{total_memory() / 1e9:,.0f}; give a smaller one."
        )


class Shuffle:
    """Endless shuffled numbers below `count`, `size` at a time, each once an epoch; follows from (seed, drawn) alone.

    Of several processes each gets its part of every batch.
    """

    def __init__(self, count: int, size: int, seed: int):
        self.count, self.size, self.seed = count, size, seed
        self.drawn = 0  # the whole state
        self._orders: dict[int, np.ndarray] = {}

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 [B] the numbers, and [B] the epoch of each."""
        begin, self.drawn = self.drawn, self.drawn + self.size
        epochs, rest = np.divmod(mine(np.arange(begin, self.drawn)), self.count)
        numbers = [self._order(epoch)[rest[epochs == epoch]] for epoch in np.unique(epochs)]
        return np.concatenate(numbers).astype(np.int64), epochs

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders = {e: order for e, order in self._orders.items() if e >= epoch - 1}
            numbers = np.arange(self.count, dtype=np.int32 if self.count < 1 << 31 else np.int64)
            self._orders[epoch] = np.random.default_rng([self.seed, epoch]).permutation(numbers)
        return self._orders[epoch]
