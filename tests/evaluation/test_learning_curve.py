"""A power law is recovered, and intervals of forecasts cover."""

import numpy as np
import pytest

from caudex.evaluation.learning_curve import Trial, draw_std, forecast_accuracy, power_law


def test_a_power_law_is_continued():
    sizes, exponents = [20, 40, 80], np.array([0.4])
    errors = np.array([[0.4, 0.4 * 2**-0.4, 0.4 * 4**-0.4]])  # that of the prior: nothing draws it elsewhere
    assert power_law(sizes, errors, exponents, 160) == pytest.approx(0.4 * 8**-0.4)
    steep = np.array([[0.4, 0.2, 0.1]])  # exponent 1: the prior holds it back a little
    assert 0.05 < power_law(sizes, steep, exponents, 160)[0] < 0.09
    rising = np.array([[0.1, 0.2, 0.4]])  # more labels do not harm
    assert power_law(sizes, rising, exponents, 160)[0] <= 0.4


def simulated(seed, count=80, repeats=6):
    """Trials of a method whose error is 0.8 * labels ** -0.4, with images of unequal difficulty."""
    generator = np.random.default_rng(seed)
    difficulty = generator.uniform(0.5, 1.5, count)
    trials = []
    for _ in range(repeats):
        order = generator.permutation(count)
        for share in (0.25, 0.5, 0.75):
            size = round(share * count)
            rows = order[size:]
            trials.append(Trial(size, rows, generator.random(len(rows)) > 0.8 * size**-0.4 * difficulty[rows]))
    return trials


def test_intervals_cover_and_the_gain_is_about_right():
    covered, gains = 0, []
    for seed in range(60):
        forecast = forecast_accuracy(simulated(seed), 80, 50, seed)
        covered += forecast.later_interval[0] <= 1 - 0.8 * 130**-0.4 <= forecast.later_interval[1]
        gains.append(forecast.gain)
        assert forecast.later == pytest.approx(forecast.now + forecast.gain)
        assert forecast.gain_interval[0] <= forecast.gain <= forecast.gain_interval[1]
    assert covered >= 54
    assert np.mean(gains) == pytest.approx(0.8 * (80**-0.4 - 130**-0.4), abs=0.01)


def test_one_size_and_all_right_have_a_forecast():
    trials = [Trial(5, np.arange(5), np.ones(5, dtype=bool))] * 2
    forecast = forecast_accuracy(trials, 10, 50, 0)
    assert forecast.now > 0.99 and 0 <= forecast.gain < 0.01
    assert draw_std(trials) > 0
