"""Confidence intervals, and the statistics of few runs that Agarwal et al. 2021 (section 4) propose.

`Scores` are a list with the runs of each environment, [..., seeds]; leading dimensions are kept, so that ten thousand resamples
are one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

Scores = Sequence[np.ndarray]

MIN_SEEDS = 4
"""seeds of an environment that a bootstrap needs"""


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """95% interval of a `share` observed in `count` trials (Wilson 1927)."""
    if count == 0:
        return (math.nan, math.nan)
    z = 1.96
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))  # but for rounding


def t_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95% interval by Student's t; an infinite one from a single value."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -math.inf, math.inf
    half = float(special.stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def bootstrap_interval(
    statistic: Callable, *samples: Scores, resamples: int = 10_000, seed: int = 0
) -> np.ndarray | None:
    """95% interval [2, ...] of `statistic(*samples)`, or None where an environment has fewer than `MIN_SEEDS` seeds.

    The quantiles are those of Hesterberg 2015 (the expanded percentile interval): resampling n of n seeds spreads too little, and few
    seeds need Student's t. results/intervals.csv has the measured coverage, compared with the plain 2.5% and 97.5% of Agarwal et al.
    """
    counts = [len(env) for scores in samples for env in scores]
    if min(counts) < MIN_SEEDS:
        return None
    degrees = sum(counts) - len(counts)
    tail = special.ndtr(-math.sqrt(sum(counts) / degrees) * special.stdtrit(degrees, 0.975))
    return np.quantile(bootstrap(statistic, *samples, resamples=resamples, seed=seed), [tail, 1 - tail], axis=0)


def bootstrap_p_value(
    statistic: Callable, *samples: Scores, null: float, resamples: int = 10_000, seed: int = 0
) -> float | None:
    """Two-sided, that the statistic is `null`: below 5% where `bootstrap_interval` leaves `null` out."""
    counts = [len(env) for scores in samples for env in scores]
    if min(counts) < MIN_SEEDS:
        return None
    degrees = sum(counts) - len(counts)
    resampled = bootstrap(statistic, *samples, resamples=resamples, seed=seed)
    tail = max(min((resampled <= null).mean(), (resampled >= null).mean()), 1 / (resamples + 1))
    return float(min(1.0, 2 * special.stdtr(degrees, special.ndtri(tail) * math.sqrt(degrees / sum(counts)))))


def bootstrap(statistic: Callable, *samples: Scores, resamples: int = 10_000, seed: int = 0) -> np.ndarray:
    """[resamples, ...] of `statistic(*samples)`: the seeds of each environment are resampled by themselves, with replacement."""
    generator = np.random.default_rng(seed)
    return statistic(
        *([env[generator.integers(len(env), size=(resamples, len(env)))] for env in scores] for scores in samples)
    )


def normalised_score(score, random: float, human: float):
    """0 for acting at random, 1 for a human, or for whatever else counts as good."""
    return (np.asarray(score, float) - random) / (human - random)


def iqm(scores: Scores) -> np.ndarray:
    """Interquartile mean [...]: of the runs of all environments together, without the lowest and the highest quarter, each
    rounded down to whole runs.

    Environments with different numbers of runs count alike: a run weighs 1 / runs of its environment, and a quarter of all
    weight is left out at each end. Pooled, the environment with most runs would speak for all.
    """
    together, counts = np.concatenate(scores, -1), [env.shape[-1] for env in scores]
    if len(set(counts)) == 1:
        together = np.sort(together, -1)
        cut = together.shape[-1] // 4
        return together[..., cut : together.shape[-1] - cut].mean(-1)
    order = np.argsort(together, -1, kind="stable")
    weights = np.repeat([1 / (count * len(counts)) for count in counts], counts)[order]
    upper = weights.cumsum(-1)
    middle = np.clip(np.minimum(upper, 0.75) - np.maximum(upper - weights, 0.25), 0, None)
    return (np.take_along_axis(together, order, -1) * middle).sum(-1) / middle.sum(-1)


def performance_profile(scores: Scores, levels: np.ndarray) -> np.ndarray:
    """[..., levels]: the share of the runs above each level, the mean over environments (equation 3)."""
    shares = [np.stack([(env > level).mean(-1) for level in levels], -1) for env in scores]
    return np.mean(shares, 0)


def probability_of_improvement(scores: Scores, baseline: Scores) -> np.ndarray:
    """[...]: the probability that a run is better than one of the `baseline` in the same environment, the mean over
    environments; a tie counts half."""
    signs = [np.sign(a[..., :, None] - b[..., None, :]).mean((-2, -1)) for a, b in zip(scores, baseline)]
    return (np.mean(signs, 0) + 1) / 2
