"""Verdicts on a gain: better, worse, or not shown. One rule for every table, report and claim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import special

LEVEL, POWER = 0.05, 0.8
"""error rate of all comparisons of a table together; how often a detectable effect would be shown"""
RESOLUTION = 1e-7
"""a smaller spread is rounding: all gains are the same"""
HOLM_NOTE = "Verdicts hold for all {count} comparisons of the table together (Holm 1979)."
DETECTABLE_NOTE = "Detectable: the smallest effect that would be shown four times of five (Bloom 1995)."


@dataclass(frozen=True)
class Gain:
    """A mean of paired differences, its 95% interval, and the two-sided p-value of none.

    `detectable` is the minimum detectable effect at 80% power (Bloom 1995, table 1): (t[1 - level / 2] + t[0.8]) standard
    errors. Where one value was measured, or all are the same, there is no spread: then the interval is infinite.
    """

    mean: float
    low: float
    high: float
    std_error: float
    degrees: float
    p_value: float = 1.0
    detectable: float = math.inf
    verdict: str = "not shown"
    comparisons: int = 1

    def to_json(self) -> dict:
        """For results.json, where what is infinite is None."""
        content = asdict(self) | {"gain": self.mean}
        del content["mean"]
        return {name: None if content[name] in (math.inf, -math.inf) else content[name] for name in content}


def paired_gain(values: Sequence[float], baseline: Sequence[float]) -> Gain:
    """The mean gain over the `baseline`, paired by position, by Student's t; judged as the only one."""
    differences = np.subtract(values, baseline, dtype=float)
    mean, count = float(differences.mean()), len(differences)
    if count < 2 or differences.std() < RESOLUTION * max(1.0, abs(mean)):
        return gain_without_spread(mean)
    std_error = float(differences.std(ddof=1) / math.sqrt(count))
    half = std_error * float(special.stdtrit(count - 1, 0.975))
    p_value = float(2 * special.stdtr(count - 1, -abs(mean) / std_error))
    return with_verdicts([Gain(mean, mean - half, mean + half, std_error, count - 1, p_value)])[0]


def gain_without_spread(mean: float) -> Gain:
    """Of a gain without a spread."""
    return Gain(mean, -math.inf, math.inf, math.inf, 0)


def with_verdicts(gains: Sequence[Gain]) -> list[Gain]:
    """The gains with their verdicts, which hold at 5% for all of them together (Holm 1979)."""
    decided = []
    for gain, rejected in zip(gains, holm([gain.p_value for gain in gains])):
        detectable = detectable_effect(gain, LEVEL / len(gains))
        verdict = "not shown" if not rejected else "better" if gain.mean > 0 else "worse"
        decided.append(replace(gain, verdict=verdict, detectable=detectable, comparisons=len(gains)))
    return decided


def holm(p_values: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which hypotheses are rejected, so that the chance of any false rejection is at most `level` (Holm 1979)."""
    rejected = [False] * len(p_values)
    order = sorted(range(len(p_values)), key=lambda i: (math.isnan(p_values[i]), p_values[i]))
    for rank, i in enumerate(order):
        if not p_values[i] <= level / (len(p_values) - rank):
            break
        rejected[i] = True
    return rejected


def detectable_effect(gain: Gain, level: float = LEVEL) -> float:
    """Minimum detectable effect at 80% power (Bloom 1995)."""
    if math.isinf(gain.std_error):
        return math.inf
    return gain.std_error * float(special.stdtrit(gain.degrees, 1 - level / 2) + special.stdtrit(gain.degrees, POWER))


def format_mean(mean: float, interval: Sequence[float] | None, number_format: str = ".2%") -> str:
    """The mean with half its 95% interval, where there is one."""
    if not interval:
        return f"{mean:{number_format}}"
    return f"{mean:{number_format}} ± {(interval[1] - interval[0]) / 2:{number_format.lstrip('+')}}"


def format_difference(mean: float, interval: Sequence[float] | None, number_format: str, sign: str = "+") -> str:
    """A difference of two figures with half its 95% interval, where there is one; of percentages in points."""
    if not number_format.endswith("%"):
        return format_mean(mean, interval, sign + number_format)
    interval = interval and [100 * bound for bound in interval]
    return f"{format_mean(100 * mean, interval, sign + number_format[:-1] + 'f')} points"


def format_interval(low: float | None, high: float | None, number_format: str) -> str:
    """`-1.2 to +0.4 points`: an interval of a difference; "" where it is infinite."""
    if low is None or high is None:
        return ""
    start = format_difference(low, None, number_format).removesuffix(" points")
    return f"{start} to {format_difference(high, None, number_format)}"


def format_verdict(gain: Mapping, number_format: str) -> str:
    """`better`, `worse`, or `not shown` with the smallest effect that could have been."""
    detectable = gain.get("detectable")
    if gain["verdict"] != "not shown" or detectable is None or detectable <= RESOLUTION:
        return gain["verdict"]
    return f"not shown (detectable: {format_difference(detectable, None, number_format, sign='')})"


def format_gain(gain: Mapping, number_format: str) -> str:
    """`+1.2 points (+0.4 to +2.0 points), better`"""
    interval = format_interval(gain.get("low"), gain.get("high"), number_format)
    interval = f" ({interval})" if interval else ""
    return f"{format_difference(gain['gain'], None, number_format)}{interval}, {format_verdict(gain, number_format)}"


def table_notes(gains: Sequence[Mapping]) -> list[str]:
    """Sentences below a table of these gains."""
    notes = [HOLM_NOTE.format(count=len(gains))] if len(gains) > 1 else []
    return notes + [DETECTABLE_NOTE] * any("detectable" in format_verdict(gain, ".2%") for gain in gains)
