"""NumPy's default generator, as checkpoints keep it."""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
from msgspec import Struct, to_builtins
from msgspec.json import decode

from caudex.core.typed_json import Count


class PCG64State(Struct, forbid_unknown_fields=True):
    """Whole numbers of 128 bits, which numpy checks."""

    state: int
    inc: int


class BitGeneratorState(Struct, forbid_unknown_fields=True):
    """Of numpy's default generator."""

    bit_generator: Literal["PCG64"]
    state: PCG64State
    has_uint32: Literal[0, 1]
    uinteger: Count


def save_generator(rng: np.random.Generator) -> str:
    return json.dumps(rng.bit_generator.state)


def load_generator(rng: np.random.Generator, state: str) -> None:
    """Raises msgspec.ValidationError, a ValueError, for what is no such state."""
    rng.bit_generator.state = to_builtins(decode(state, type=BitGeneratorState))
