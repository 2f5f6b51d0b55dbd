"""What few runs tell: interquartile mean, intervals that draw the seeds of each environment anew, performance profiles.

Scores are a list with the runs of each environment, [..., seeds]; whatever stands before is kept, so that ten thousand draws are
one call. Source: Agarwal et al. 2021, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

Scores = Sequence[np.ndarray]

LEAST = 4
"""seeds of an environment: with fewer, drawing them anew tells too little of what further ones would do"""


def normalised(score, random: float, human: float):
    """0 for who acts at random, 1 for a human, or for whatever else is called good."""
    return (np.asarray(score, float) - random) / (human - random)


def iqm(scores: Scores) -> np.ndarray:
    """Interquartile mean [...]: of the runs of all environments together, without the lowest and the highest quarter, each
    rounded down to whole runs."""
    together = np.sort(np.concatenate(scores, -1), -1)
    cut = together.shape[-1] // 4
    return together[..., cut : together.shape[-1] - cut].mean(-1)


def profile(scores: Scores, levels: np.ndarray) -> np.ndarray:
    """[..., levels]: which share of the runs is above each level, the mean over environments (equation 3)."""
    shares = [np.stack([(env > level).mean(-1) for level in levels], -1) for env in scores]
    return np.mean(shares, 0)


def improvement(scores: Scores, others: Scores) -> np.ndarray:
    """[...]: how probably a run is better than one of the others in the same environment, the mean over environments; where both are
    as good, it counts half."""
    signs = [np.sign(ours[..., :, None] - theirs[..., None, :]).mean((-2, -1)) for ours, theirs in zip(scores, others)]
    return (np.mean(signs, 0) + 1) / 2


def resampled(statistic: Callable, *samples: Scores, draws: int = 10_000, seed: int = 0) -> np.ndarray:
    """[draws, ...] of `statistic(*samples)`: the seeds of each environment are drawn with replacement, by themselves."""
    generator = np.random.default_rng(seed)
    return statistic(
        *([env[generator.integers(len(env), size=(draws, len(env)))] for env in scores] for scores in samples)
    )


def interval(statistic: Callable, *samples: Scores, draws: int = 10_000, seed: int = 0) -> np.ndarray | None:
    """95% interval [2, ...] of `statistic(*samples)`, or None where an environment has fewer than `LEAST` seeds.

    The quantiles are those of Hesterberg 2015 (the expanded percentile interval): drawing n of n seeds spreads by too
    little, and few seeds ask for Student's t. results/intervals.csv has how often the truth lies inside, beside the plain
    2.5% and 97.5% of Agarwal et al.
    """
    counts = [len(env) for scores in samples for env in scores]
    if min(counts) < LEAST:
        return None
    freedom = sum(counts) - len(counts)
    tail = special.ndtr(-math.sqrt(sum(counts) / freedom) * special.stdtrit(freedom, 0.975))
    return np.quantile(resampled(statistic, *samples, draws=draws, seed=seed), [tail, 1 - tail], axis=0)


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95% interval by Student's t; an infinite one from a single value."""
    from scipy import special  # slow to import, and a help needs none of it

    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -math.inf, math.inf
    half = float(special.stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half
