"""How much a training may use: steps, minutes, FLOPs or steps in an environment."""

from __future__ import annotations

import math
from dataclasses import dataclass

from caudex.core.errors import CaudexError


@dataclass
class Budget:
    """Steps, minutes, FLOPs or samples; the first that is used up ends training."""

    steps: int | None = None
    minutes: float | None = None
    flops: float | None = None
    samples: int | None = None

    def __post_init__(self):
        given = {name: value for name, value in vars(self).items() if value is not None}
        if not given:
            raise CaudexError("training needs a budget: --steps 1000, --minutes 10 or --flops 1e13.")
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise CaudexError(f"a budget of {value:g} {name} trains nothing; give a positive number of {name}.")

    def used(self, steps: int, seconds: float, flops: float, samples: int) -> float:
        """Share of the budget that is used, in [0, 1]."""
        shares = [(steps, self.steps), (seconds / 60, self.minutes), (flops, self.flops), (samples, self.samples)]
        return min(1.0, max(done / whole for done, whole in shares if whole))
