"""When `fit` looks at what was learned so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from caudex.core.learner import Learner

TENTHS = tuple(number / 10 for number in range(1, 11))


class Evaluation(NamedTuple):
    """`function` sees the learner in eval mode, without gradients, and returns figures for the metrics; training does not depend on it.

    It is called once each share in `at` of the budget is used; or, where `every` is not 0, each time that the sources gave so
    many samples more, and at the end.
    """

    function: Callable[[Learner], dict[str, float]]
    every: int = 0
    at: Sequence[float] = TENTHS

    def is_due(self, before: tuple[float, int], now: tuple[float, int]) -> bool:
        """Between two steps, each of which is a share of the budget and a number of samples."""
        (used_before, samples_before), (used, samples) = before, now
        if self.every:
            return samples_before // self.every < samples // self.every or used >= 1
        return any(used_before < share <= used for share in self.at)
