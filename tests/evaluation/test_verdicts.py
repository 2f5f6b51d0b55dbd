"""Verdicts on made-up gains with known answers."""

import math

import numpy as np
import pytest
from pytest import approx
from scipy import stats

from caudex.evaluation.verdicts import (
    format_difference,
    format_gain,
    format_interval,
    format_verdict,
    holm,
    paired_gain,
    table_notes,
    with_verdicts,
)

SPREAD = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def gain_with_interval(mean, half):
    """Five gains whose 95% interval is mean ± half."""
    std = half * math.sqrt(5) / stats.t.ppf(0.975, 4)
    return paired_gain(mean + SPREAD / SPREAD.std(ddof=1) * std, np.zeros(5))


@pytest.mark.parametrize(
    ("mean", "half", "verdict"),
    [(-6.4, 4.3, "worse"), (6.4, 4.3, "better"), (-6.4, 6.5, "not shown"), (0.0, 1.0, "not shown")],
)
def test_there_are_three_verdicts(mean, half, verdict):
    gain = gain_with_interval(mean, half)
    assert (gain.low, gain.high) == (approx(mean - half), approx(mean + half))
    assert gain.verdict == verdict
    assert (gain.p_value < 0.05) == (verdict != "not shown")


def test_a_loss_reads_as_worse():
    assert format_gain(gain_with_interval(-6.4, 4.3).to_json(), ".1f") == "-6.4 (-10.7 to -2.1), worse"


def test_a_difference_of_percentages_is_of_points():
    gain = gain_with_interval(-0.064, 0.043).to_json()
    assert format_gain(gain, ".1%") == "-6.4 points (-10.7 to -2.1 points), worse"
    assert format_difference(0.064, (0.021, 0.107), ".1%") == "+6.4 ± 4.3 points"
    assert format_difference(1234.5, (1200, 1300), ",.1f") == "+1,234.5 ± 50.0"
    assert format_verdict(gain_with_interval(0.0, 0.01).to_json(), ".1%") == "not shown (detectable: 1.3 points)"
    assert format_interval(None, None, ".1%") == ""


def test_not_shown_says_the_smallest_effect_that_would_have_been():
    gain = gain_with_interval(0.5, 2.0)
    std_error = 2.0 / stats.t.ppf(0.975, 4)
    assert gain.detectable == approx((stats.t.ppf(0.975, 4) + stats.t.ppf(0.8, 4)) * std_error)  # 2.68
    assert format_verdict(gain.to_json(), ".1f") == "not shown (detectable: 2.7)"
    # of two comparisons each has half of the 5%
    pair = with_verdicts([gain, gain])
    assert pair[0].detectable == approx((stats.t.ppf(0.9875, 4) + stats.t.ppf(0.8, 4)) * std_error)
    assert "all 2 comparisons" in table_notes([part.to_json() for part in pair])[0]


def test_a_detectable_effect_is_shown_four_times_of_five():
    rng, trials = np.random.default_rng(0), 2000
    effect = (stats.t.ppf(0.975, 9) + stats.t.ppf(0.8, 9)) / math.sqrt(10)  # of ten seeds whose gains have deviation 1
    shown = sum(paired_gain(rng.normal(effect, 1, 10), np.zeros(10)).verdict == "better" for _ in range(trials))
    assert shown / trials == approx(0.8, abs=0.03)


def test_one_seed_or_equal_gains_show_nothing():
    for gain in (paired_gain([0.9], [0.1]), paired_gain([0.51, 0.52], [0.5, 0.51])):
        assert gain.verdict == "not shown" and gain.to_json()["low"] is gain.to_json()["detectable"] is None
        assert format_verdict(gain.to_json(), ".1%") == "not shown"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == [True, False, False]  # 0.01 <= 5%/3, but 0.03 > 5%/2, which ends it
    assert holm([0.01, 0.04, 0.02]) == [True, True, True]  # 5%/3, 5%/2, 5%
    assert holm([0.02, 0.02, 0.02]) == [False, False, False]  # each alone would be
    assert holm([math.nan, 0.001]) == [False, True]
    assert holm([]) == []


def test_what_is_shown_alone_may_not_be_among_many():
    gain = gain_with_interval(1.0, 0.9)
    assert gain.verdict == "better"
    assert {part.verdict for part in with_verdicts([gain] * 20)} == {"not shown"}
