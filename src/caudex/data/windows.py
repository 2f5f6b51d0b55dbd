"""Sources over token streams: windows of running text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.data.batches import mine, must_fit
from caudex.data.pictures import evenly
from caudex.data.streams import Stream
from caudex.errors import CaudexError


class TokenBatch(NamedTuple):
    """The observation stands first."""

    tokens: Tensor  # int64 [B, length]
    targets: Tensor  # int64 [B, length]: which token comes behind each
    index: Tensor  # [B] where each window begins in the stream


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


class TokenBatches:
    """Endless shuffled batches of `size` windows of `length` tokens, each with the token that comes after.

    In an epoch no token is predicted twice, and all but fewer than `length` are; where its windows begin is drawn
    anew, the stream taken as a ring. A batch follows from (seed, epoch, index) alone. CaudexError for a stream that is
    no longer than a window.
    """

    def __init__(self, stream: Stream, size: int, length: int, seed: int = 0):
        _long_enough(stream, length, "give more text")
        self.stream, self.length, self.seed = stream, length, seed
        must_fit(size, 8 * length)
        self.windows = Shuffle(len(stream) // length, size, seed)

    def __iter__(self) -> Iterator[TokenBatch]:
        return self

    def __next__(self) -> TokenBatch:
        windows, epochs = self.windows.next()
        each, which = np.unique(epochs, return_inverse=True)
        shifts = np.array([np.random.default_rng([self.seed, epoch, 1]).integers(len(self.stream)) for epoch in each])
        begins = (shifts[which] + windows * self.length) % len(self.stream)
        places = (begins[:, None] + np.arange(self.length + 1)) % len(self.stream)  # [B, length + 1]
        tokens = torch.from_numpy(self.stream.at(places))
        return TokenBatch(tokens[:, :-1], tokens[:, 1:], torch.from_numpy(begins))

    @property
    def experience(self) -> int:
        """Tokens that were predicted."""
        return self.windows.drawn * self.length

    def state_dict(self) -> dict:
        return {"drawn": self.windows.drawn}

    def load_state_dict(self, state: dict) -> None:
        self.windows.drawn = state["drawn"]


def evaluation_windows(stream: Stream, length: int, count: int) -> Tensor:
    """int64 [N, length + 1]: at most `count` windows, none of which predicts what another does, from the first of the
    stream to the last, spread evenly; always the same. CaudexError for a stream that is no longer than one."""
    _long_enough(stream, length, "hold out more")
    windows = (len(stream) - 1) // length
    begins = evenly(windows, count).numpy() * length
    return torch.from_numpy(stream.at(begins[:, None] + np.arange(length + 1)))


def _long_enough(stream: Stream, length: int, way_out: str) -> None:
    if length < 1:
        raise CaudexError(f"a window of {length} tokens is none; give at least 1.")
    if len(stream) <= length:
        raise CaudexError(
            f"{len(stream):,} tokens are no more than one window of {length:,}; {way_out}, or choose a shorter context."
        )
