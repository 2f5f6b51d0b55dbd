"""Random numbers of many environments at once, each from its own seed (SplitMix64; Steele, Lea, Flood 2014)."""

from __future__ import annotations

import numpy as np

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""from one state of SplitMix64 to the next"""


def uniform_from_seeds(seeds: np.ndarray, draws: int) -> np.ndarray:
    """float64 [draws, N], uniform in [0, 1), from int64 [N] seeds."""
    return uniform_at(mix_bits(seeds.astype(np.uint64)), np.arange(1, draws + 1, dtype=np.uint64)[:, None])


def uniform_at(keys: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """float64, uniform in [0, 1): the numbers at these positions, uint64, of the streams with these keys."""
    return (mix_bits(keys + positions * GOLDEN_GAMMA) >> np.uint64(11)) * 2.0**-53


def box_muller(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Standard normal numbers from two uniform ones each (Box and Muller 1958)."""
    return np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)


def mix_bits(bits: np.ndarray) -> np.ndarray:
    """uint64: each bit of an input changes about half of the output's."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class RandomStreams:
    """`count` streams of uniform numbers, one for each environment."""

    def __init__(self, count: int):
        self.keys, self.positions = np.zeros((2, count), np.uint64)

    def seed(self, seeds: np.ndarray, mask: np.ndarray, draws: int = 0) -> np.ndarray:
        """Begin streams from int64 [N] seeds where bool [N] `mask`; their first numbers, [draws, mask.sum()]."""
        self.keys[mask], self.positions[mask] = mix_bits(seeds[mask].astype(np.uint64)), draws
        return uniform_from_seeds(seeds[mask], draws)

    def uniform(self, draws: int, mask: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The next numbers of the streams where `mask`, [draws, mask.sum()]."""
        positions = self.positions[mask] + np.arange(1, draws + 1, dtype=np.uint64)[:, None]
        self.positions[mask] += np.uint64(draws)
        return uniform_at(self.keys[mask], positions)
