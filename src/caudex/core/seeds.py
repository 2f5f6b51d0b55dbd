"""Every seed derives from the run's seed and a name: the strings given here are seeds themselves, never to be renamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from caudex.core.errors import CaudexError

MAX_SEED = 2**32 - 1
"""what every generator takes, NumPy's old one too"""


def derive_seed(seed: int, *names: object) -> int:
    """A seed that depends on the seed and the names alone, in [0, 2**62)."""
    return int.from_bytes(hashlib.blake2b(repr((seed, *names)).encode(), digest_size=8).digest(), "little") >> 2


def check_seed(seed: int, flag: str = "--seed") -> None:
    """Raises CaudexError for a seed that some generator does not take."""
    if not 0 <= seed <= MAX_SEED:
        raise CaudexError(f"{flag} {seed:.9g} is out of range; it must be between 0 and {MAX_SEED}.")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers follow from `seed`; afterwards the global CPU generator is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
