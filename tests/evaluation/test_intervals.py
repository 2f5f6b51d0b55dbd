"""Intervals of few runs: answers by hand, properties, and how often an interval holds the truth."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx
from scipy import stats

from caudex.evaluation.intervals import (
    bootstrap_interval,
    bootstrap_p_value,
    iqm,
    performance_profile,
    probability_of_improvement,
    t_interval,
    wilson_interval,
)
from caudex.evaluation.verdicts import paired_gain

runs = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=8).map(np.array)

scores = st.lists(runs, min_size=1, max_size=4)


def test_the_interquartile_mean_leaves_a_quarter_out_at_each_end():
    assert iqm([np.array([1.0, 2, 3, 4]), np.array([5.0, 6, 7, 800])]) == approx((3 + 4 + 5 + 6) / 4)
    assert iqm([np.array([9.0, 1, 2, 3, 40])]) == approx((2 + 3 + 9) / 3)  # a quarter of five is one
    assert iqm([np.array([1.0, 2, 6])]) == approx(3)  # of three none
    assert iqm([np.arange(12.0).reshape(3, 4)]) == approx([1.5, 5.5, 9.5])  # many draws at once


def test_environments_count_alike_in_the_interquartile_mean():
    assert iqm([np.zeros(20), np.ones(4)]) == approx(0.5)  # pooled, the four runs would be cut away
    # weights 1/4, 1/4 and 1/2: of 0 and 8 a half each is left, of 3 all between the quarters
    assert iqm([np.array([0.0, 8.0]), np.array([3.0])]) == approx(3.0)
    assert iqm([np.arange(6.0), np.arange(12.0) / 2]) == approx(iqm([np.arange(6.0).repeat(2), np.arange(12.0) / 2]))


@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 1000))
def test_with_as_many_runs_everywhere_the_interquartile_mean_is_that_of_rliable(seeds, envs, seed):
    scores = np.random.default_rng(seed).normal(size=(envs, seeds))
    assert iqm(list(scores)) == approx(stats.trim_mean(scores, 0.25, axis=None), rel=1e-12)


def test_the_p_value_of_a_bootstrap_agrees_with_its_interval():
    for shift in np.linspace(0, 2, 9):
        samples = [np.arange(6.0) + shift], [np.arange(6.0)]
        low, high = bootstrap_interval(probability_of_improvement, *samples)
        p_value = bootstrap_p_value(probability_of_improvement, *samples, null=0.5)
        assert (p_value < 0.05) == (not low <= 0.5 <= high)


@given(scores, st.floats(0.1, 10), st.floats(-10, 10))
def test_the_interquartile_mean_lies_within_and_follows_the_scale(scores, factor, shift):
    all_runs = np.concatenate(scores)
    assert all_runs.min() - 1e-9 <= iqm(scores) <= all_runs.max() + 1e-9
    assert iqm([factor * env + shift for env in scores]) == approx(factor * iqm(scores) + shift, abs=1e-6)


@given(scores)
def test_a_profile_falls_from_one_to_nothing(scores):
    all_runs = np.concatenate(scores)
    shares = performance_profile(scores, np.array([all_runs.min() - 1, *np.sort(all_runs), all_runs.max()]))
    assert shares[0] == 1 and shares[-1] == 0 and (np.diff(shares) <= 1e-12).all()
    assert performance_profile([np.array([0.0, 1]), np.array([3.0])], np.array([0.5, 2])) == approx([0.75, 0.5])


@given(scores, st.data())
def test_who_is_better_is_worse_the_other_way_round(scores, data):
    others = [data.draw(runs) for _ in scores]
    assert probability_of_improvement(scores, others) + probability_of_improvement(others, scores) == approx(1)
    assert probability_of_improvement(scores, scores) == approx(0.5)
    assert probability_of_improvement([np.array([2.0, 4])], [np.array([1.0, 3, 4, 5])]) == approx((1 + 2.5) / 8)


def test_alike_runs_have_an_interval_of_no_width_and_few_have_none():
    assert bootstrap_interval(iqm, [np.full(4, 0.3), np.full(5, 0.3)]) == approx([0.3, 0.3])
    assert bootstrap_interval(iqm, [np.arange(5.0), np.arange(3.0)]) is None
    low, high = bootstrap_interval(iqm, [np.arange(9.0)])
    assert 0 <= low < 4 < high <= 8
    bands = bootstrap_interval(
        lambda resampled: performance_profile(resampled, np.array([-1.0, 3, 9])), [np.arange(6.0)]
    )
    assert bands.shape == (2, 3) and bands[:, 0] == approx(1) and bands[:, 2] == approx(0)


def test_the_interval_holds_the_truth_about_95_times_of_100():
    rng, held, trials = np.random.default_rng(0), 0, 400
    means, deviations = rng.uniform(0, 1, (5, 1)), rng.uniform(0.1, 0.3, (5, 1))
    truth = iqm(list(means + deviations * rng.normal(size=(5, 100_000))))
    for seed in range(trials):
        low, high = bootstrap_interval(
            iqm, list(means + deviations * rng.normal(size=(5, 5))), resamples=1000, seed=seed
        )
        held += low <= truth <= high
    assert 0.91 <= held / trials <= 0.98  # the plain quantiles hold it 0.89 of the time


def test_intervals_by_hand():
    mean, low, high = t_interval([1.0, 2.0, 3.0])  # deviation 1, t(2) = 4.3027
    assert (mean, high) == (2.0, approx(2 + 4.3027 / 3**0.5, abs=1e-3)) and low == approx(4 - high)
    gain = paired_gain([3.0, 5.0, 7.0], [2.0, 3.0, 4.0])
    assert (gain.mean, gain.low, gain.high) == approx((mean, low, high))
    assert wilson_interval(0.5, 100) == (approx(0.4038, abs=1e-3), approx(0.5962, abs=1e-3))
    assert wilson_interval(0.0, 1000)[0] == 0 and wilson_interval(1.0, 1000)[1] == 1
