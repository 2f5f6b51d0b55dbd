"""What a claim is: a sentence, its figure, and the baselines measured in the same run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Claim:
    """One seed's evidence. `against` are the baselines; the first is the one that must be beaten."""

    statement: str
    figure: float
    against: dict[str, float]
    further: dict[str, float] = field(default_factory=dict)
    """figures that are reported, but that the claim does not stand on"""


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95% interval by Student's t; an infinite one from a single value."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -math.inf, math.inf
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def gather(claims: Sequence[Claim]) -> dict:
    """Over seeds: means with intervals, gains paired by seed. Shown when the gain's interval lies above zero."""
    mean, low, high = mean_interval([claim.figure for claim in claims])
    baselines = {}
    for name in claims[0].against:
        own = mean_interval([claim.against[name] for claim in claims])
        gain = mean_interval([claim.figure - claim.against[name] for claim in claims])
        baselines[name] = {"figure": own[0], "interval": own[1:], "gain": gain[0], "gain_interval": gain[1:]}
    further = {name: mean_interval([claim.further[name] for claim in claims]) for name in claims[0].further}
    first = next(iter(baselines.values()))
    return {
        "statement": claims[0].statement,
        "figure": mean,
        "interval": [low, high],
        "shown": bool(first["gain_interval"][0] > 0),
        "baselines": baselines,
        "further": {name: {"figure": value[0], "interval": value[1:]} for name, value in further.items()},
    }
