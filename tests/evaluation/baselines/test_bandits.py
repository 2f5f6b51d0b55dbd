"""Rules for bandits earn what was published."""

import numpy as np
import pytest
from helpers.baselines import assert_means_agree

from caudex.envs.meta import trials
from caudex.envs.meta.trials import play_trials
from caudex.evaluation.baselines import bandits, gittins

COUNT = 4000


def mean_returns(rule, arms, pulls, test=False):
    """Sums of rewards [COUNT, pulls]."""
    env = trials.make_trials("bandits", COUNT, arms=arms, pulls=pulls, test=test)
    return play_trials(env, bandits.BanditPolicy(rule, seed=arms), np.arange(COUNT)).returns.cumsum(1)


# bandits
def test_the_optimum_is_exact():
    assert bandits.bayes_optimal_return(2, 2) == pytest.approx(
        1 / 2 + 1 / 2 * 2 / 3 + 1 / 2 * 1 / 2
    )  # stay after a success
    assert bandits.bayes_optimal_return(1, 7) == pytest.approx(7 / 2)
    assert [round(bandits.bayes_optimal_return(arms, 10), 4) for arms in (5, 10, 50)] == [6.6600, 6.7140, 6.7140]


@pytest.mark.parametrize(
    "arms, rows",  # of Duan et al. 2016, table 1, at 10 and 100 pulls
    [
        (5, {"thompson": (5.7, 74.7), "ucb1": (6.7, 78.0)}),
        (10, {"thompson": (5.5, 76.7), "ucb1": (6.7, 82.4)}),
        (50, {"thompson": (5.2, 64.5), "ucb1": (6.6, 84.3)}),
    ],
)
def test_rules_earn_what_was_published(arms, rows):
    rules = {"thompson": bandits.thompson_sampling, "ucb1": bandits.ucb1(0.2)}
    for name, (short, long) in rows.items():
        returns = mean_returns(rules[name], arms, 100)
        assert_means_agree(returns[:, 9], short)
        assert_means_agree(returns[:, 99], long)


def test_no_rule_beats_the_optimum_and_gittins_comes_near():
    best = bandits.bayes_optimal_return(5, 10)
    for rule in (
        bandits.greedy_rule,
        bandits.ucb1(0.2),
        bandits.optimistic_thompson_sampling,
        bandits.epsilon_greedy_rule(0.05),
        gittins.gittins_rule(10),
    ):
        returns = mean_returns(rule, 5, 10)[:, -1]
        assert returns.mean() < best + 3 * returns.std() / np.sqrt(COUNT)
    assert returns.mean() > 0.97 * best
    assert (
        mean_returns(gittins.gittins_rule(100), 50, 100)[:, -1].mean() > 85.2
    )  # the paper's, by another way to the indices


def test_ties_are_broken_by_chance():
    choices = bandits.argmax_random_ties(np.array([[1.0, 3.0, 3.0, 2.0]] * 2000), np.random.default_rng(0))
    assert set(choices) == {1, 2} and 900 < (choices == 1).sum() < 1100


def test_a_puller_forgets_where_a_trial_begins():
    counted = []

    def rule(wins, losses, chance):
        counted.append((wins.copy(), losses.copy()))
        return wins

    puller = bandits.BanditPolicy(rule)
    puller(np.zeros((2, 5)))
    puller(np.array([[0, 1, 0, 1, 1], [1, 0, 0, 0, 1.0]]))
    puller(np.array([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0.0]]))  # the second begins anew
    assert counted[1][0].tolist() == [[0, 1, 0], [0, 0, 0]] and counted[1][1].tolist() == [[0, 0, 0], [1, 0, 0]]
    assert counted[2][0].tolist() == [[0, 1, 0], [0, 0, 0]] and counted[2][1].tolist() == [[0, 1, 0], [0, 0, 0]]
