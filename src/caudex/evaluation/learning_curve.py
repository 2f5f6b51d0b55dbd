"""How accurate more labels would make a method: a power law through a few measured sizes, with an honest interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
EXPONENT, EXPONENT_STD = 0.4, 0.25
"""of the error in the number of labels, before anything is measured: of most learning curves it is from 0.1 to 0.7 (Hestness et al. 2017,
section 3; Viering and Loog 2023, section 3)"""
LOG_ERROR_STD = 0.15
"""of the logarithm of a measured error around the power law"""
MIN_ERROR, MIN_DRAW_STD = 0.002, 0.4


class Trial(NamedTuple):
    """A method learned from `size` of the labelled images: whether its predictions for the others, `rows`, are right."""

    size: int
    rows: np.ndarray  # int64 [T]
    is_right: np.ndarray  # bool [T]


class Forecast(NamedTuple):
    """With 95% intervals (low, high): the accuracy with all labels of today, with more, and the gain from one to the other."""

    now: float
    now_interval: tuple[float, float]
    later: float
    later_interval: tuple[float, float]
    gain: float
    gain_interval: tuple[float, float]


def forecast_accuracy(trials: Sequence[Trial], num_labels: int, more: int, seed: int) -> Forecast:
    """What a method reaches with `num_labels` and with `more` labels, from trials with fewer.

    The labelled images are resampled (bootstrap), because few were tested; in each resample a power law, error = a * labels^-b, is fitted
    to the mean error of each size, with a normal prior on b, which a few sizes alone do not tell. The spread that another draw of labels
    makes is added to the interval of an accuracy.
    """
    generator = np.random.default_rng(seed)
    count = 1 + max(int(trial.rows.max()) for trial in trials)
    weights = generator.multinomial(count, np.full(count, 1 / count), RESAMPLES)
    weights = np.concatenate([np.ones((1, count), int), weights])  # the first: as measured
    sizes = sorted({trial.size for trial in trials})
    errors = np.stack(
        [np.mean([_error(trial, weights) for trial in trials if trial.size == size], axis=0) for size in sizes], axis=1
    )  # [1 + B, S]
    exponents = np.concatenate([[EXPONENT], generator.normal(EXPONENT, EXPONENT_STD, RESAMPLES)])
    accuracies = [1 - power_law(sizes, errors, exponents, labels) for labels in (num_labels, num_labels + more)]
    gain = accuracies[1][0] - accuracies[0][0]
    totals = np.array([num_labels, num_labels + more])
    std_now, std_later = draw_std(trials) * (sizes[-1] / totals) ** 0.5
    shared, added = generator.normal(size=(2, RESAMPLES + 1))
    correlation = (num_labels / totals[1]) ** 0.5  # the labels of today are among those of later
    now = accuracies[0] + std_now * shared
    later = accuracies[1] + std_later * (correlation * shared + (1 - correlation**2) ** 0.5 * added)
    return Forecast(
        float(accuracies[0][0]),
        _interval(now),
        float(accuracies[1][0]),
        _interval(later),
        float(gain),
        _interval(later - now),
    )


def power_law(sizes: Sequence[int], errors: np.ndarray, exponents: np.ndarray, labels: int) -> np.ndarray:
    """[B]: the error with so many labels by the power law through errors [B, S] at the sizes [S], its exponent drawn towards
    `exponents` [B] (ridge regression of logarithms)."""
    x, y = np.log(sizes), np.log(errors.clip(MIN_ERROR))
    centred = x - x.mean()
    precision = 1 / LOG_ERROR_STD**2
    slope = (-(y @ centred) * precision + exponents / EXPONENT_STD**2) / (
        (centred @ centred) * precision + 1 / EXPONENT_STD**2
    )
    return np.exp(y.mean(1) - slope.clip(0, 1.5) * (np.log(labels) - x.mean())).clip(0, 1)


def draw_std(trials: Sequence[Trial]) -> float:
    """The standard deviation of the accuracy from draw to draw of the labels, at the largest size: the spread of the trials less what their
    finite tests explain; at least `MIN_DRAW_STD` of what one draw of as many test images has, for these trials share most labels."""
    largest = max(trial.size for trial in trials)
    accuracies = np.array([trial.is_right.mean() for trial in trials if trial.size == largest])
    tested = np.mean([len(trial.rows) for trial in trials if trial.size == largest])
    mean = accuracies.mean()
    least = MIN_DRAW_STD * np.sqrt(max(MIN_ERROR, mean * (1 - mean)) / largest)
    if len(accuracies) < 2:
        return float(least)
    return float(max(least, np.sqrt(max(0.0, accuracies.var(ddof=1) - mean * (1 - mean) / tested))))


def _error(trial: Trial, weights: np.ndarray) -> np.ndarray:
    """[B]: the share of wrong predictions, of images with these weights [B, N]."""
    tested = weights[:, trial.rows]
    return (tested @ ~trial.is_right) / tested.sum(1).clip(1)


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values[1:], [0.025, 0.975]).clip(-1, 1)
    return float(low), float(min(high, 1.0))
