"""Sources over token streams: windows of running text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.source import Source
from caudex.data.sampling import BatchSampler, check_batch_fits, evenly_spaced
from caudex.data.text.token_stream import TokenStream


class TokenBatch(NamedTuple):
    """The observation stands first."""

    tokens: Tensor  # int64 [B, length]
    targets: Tensor  # int64 [B, length]: the next token of each
    index: Tensor  # [B] the start of each window in the stream


class TokenBatches(Source):
    """Endless shuffled batches of `size` windows of `length` tokens, each with the token that comes after.

    In an epoch no token is predicted twice, and all but fewer than `length` are; each epoch shifts the windows at
    random, and the stream is a ring. A batch follows from (seed, epoch, index) alone. CaudexError for a stream that is
    no longer than a window.
    """

    sample_unit = "tokens"

    def __init__(self, stream: TokenStream, size: int, length: int, seed: int = 0):
        _check_length(stream, length, "give more text")
        self.stream, self.length, self.seed = stream, length, seed
        check_batch_fits(size, 8 * length)
        self.sampler = BatchSampler(len(stream) // length, size, seed)

    def __next__(self) -> TokenBatch:
        windows, epochs = self.sampler.next()
        unique_epochs, inverse = np.unique(epochs, return_inverse=True)
        generators = [np.random.default_rng([self.seed, epoch, 1]) for epoch in unique_epochs]
        shifts = np.array([generator.integers(len(self.stream)) for generator in generators])
        starts = (shifts[inverse] + windows * self.length) % len(self.stream)
        positions = (starts[:, None] + np.arange(self.length + 1)) % len(self.stream)  # [B, length + 1]
        tokens = torch.from_numpy(self.stream.tokens_at(positions))
        return TokenBatch(tokens[:, :-1], tokens[:, 1:], torch.from_numpy(starts))

    @property
    def samples_seen(self) -> int:
        """Tokens that were predicted."""
        return self.sampler.samples_seen * self.length

    def state_dict(self) -> dict:
        return self.sampler.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.sampler.load_state_dict(state)


def evaluation_windows(stream: TokenStream, length: int, count: int) -> Tensor:
    """int64 [N, length + 1]: at most `count` windows, none of which predicts what another does, from the first of the
    stream to the last, spread evenly; always the same. CaudexError for a stream that is no longer than one."""
    _check_length(stream, length, "hold out more")
    windows = (len(stream) - 1) // length
    starts = evenly_spaced(windows, count).numpy() * length
    return torch.from_numpy(stream.tokens_at(starts[:, None] + np.arange(length + 1)))


def _check_length(stream: TokenStream, length: int, advice: str) -> None:
    if length < 1:
        raise CaudexError(f"a window of {length} tokens is none; give at least 1.")
    if len(stream) <= length:
        raise CaudexError(
            f"{len(stream):,} tokens are no more than one window of {length:,}; {advice}, or choose a shorter context."
        )
