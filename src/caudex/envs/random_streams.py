"""Random numbers of many environments at once, each from a seed of its own (SplitMix64; Steele, Lea, Flood 2014)."""

from __future__ import annotations

import numpy as np

STEP = np.uint64(0x9E3779B97F4A7C15)


def chances(seeds: np.ndarray, draws: int) -> np.ndarray:
    """float64 [draws, N], uniform in [0, 1), from int64 [N] seeds."""
    return drawn(mixed(seeds.astype(np.uint64)), np.arange(1, draws + 1, dtype=np.uint64)[:, None])


def drawn(keys: np.ndarray, places: np.ndarray) -> np.ndarray:
    """float64, uniform in [0, 1): the numbers that stand at these places, uint64, in the streams of these keys."""
    return (mixed(keys + places * STEP) >> np.uint64(11)) * 2.0**-53


def normal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Standard normal numbers from two uniform ones each (Box and Muller 1958)."""
    return np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)


def mixed(bits: np.ndarray) -> np.ndarray:
    """uint64: each bit of an input changes about half of the output's."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class Streams:
    """A stream of uniform numbers for each of `count` environments."""

    def __init__(self, count: int):
        self.keys, self.places = np.zeros((2, count), np.uint64)

    def begin(self, seeds: np.ndarray, which: np.ndarray, draws: int = 0) -> np.ndarray:
        """Streams from int64 [N] seeds where bool [N] `which`: their first numbers, [draws, so many]."""
        self.keys[which], self.places[which] = mixed(seeds[which].astype(np.uint64)), draws
        return chances(seeds[which], draws)

    def draw(self, draws: int, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The next numbers of the streams where `which`, [draws, so many]."""
        places = self.places[which] + np.arange(1, draws + 1, dtype=np.uint64)[:, None]
        self.places[which] += np.uint64(draws)
        return drawn(self.keys[which], places)
