"""Planners for tabular MDPs earn what was published."""

import numpy as np
import pytest
from helpers.baselines import assert_means_agree
from scipy.optimize import linprog

from caudex.envs.meta import trials
from caudex.envs.meta.trials import play_trials
from caudex.evaluation.baselines import mdps
from caudex.evaluation.baselines.mdps import MDPPolicy, MDPPosterior, value_iteration


# tabular MDPs
def random_counts(chance, count, states, actions, prior=1.0):
    moves = chance.integers(4, size=(count, states, actions, states)).astype(np.float32)
    visits = moves.sum(-1)
    return MDPPosterior(visits * chance.standard_normal(visits.shape).astype(np.float32), visits, moves, prior)


def test_value_iteration_finds_the_best_of_all_plans():
    chance = np.random.default_rng(0)
    rewards, transitions = chance.standard_normal((1, 2, 2)), chance.dirichlet(np.ones(2), (1, 2, 2))

    def worth(state, left):
        """By going through everything that can happen."""
        if not left:
            return 0.0
        follows = [sum(transitions[0, state, a, s] * worth(s, left - 1) for s in range(2)) for a in range(2)]
        return max(rewards[0, state, a] + follows[a] for a in range(2))

    values = value_iteration(rewards, transitions, 4).max(-1)[0]
    assert np.allclose(values, [[worth(state, 4 - h) for state in range(2)] for h in range(4)])


def test_ucrl2_takes_the_best_model_within_its_bounds():
    chance, width = np.random.default_rng(1), 0.05
    counts = random_counts(chance, 3, 4, 2)
    values = mdps.ucrl2(width)(counts, 2, chance)
    best = values[:, 1].max(-1)
    log = np.log(2 * 4 * 2 * (1 + counts.visits.sum((1, 2))) / 0.05)
    for i, state, action in np.ndindex(3, 4, 2):
        visits, shares = max(counts.visits[i, state, action], 1), counts.transitions[i, state, action].astype(float)
        within = width * np.sqrt(14 * 4 * log[i] / visits)
        # probabilities p, and how far each is from its estimate: maximise best . p
        limits = np.block([[np.eye(4), -np.eye(4)], [-np.eye(4), -np.eye(4)], [np.zeros((1, 4)), np.ones((1, 4))]])
        bounds = np.concatenate([shares, -shares, [within]])
        total = np.concatenate([np.ones(4), np.zeros(4)])[None]
        solution = linprog(np.concatenate([-best[i], np.zeros(4)]), limits, bounds, total, [shares.sum()])
        reward = counts.means[i, state, action] + width * np.sqrt(7 * log[i] / (2 * visits))
        assert values[i, 0, state, action] == pytest.approx(reward - solution.fun, abs=1e-4)


def test_plans_that_are_not_optimistic_are_greedy():
    chance = np.random.default_rng(2)
    counts = random_counts(chance, 5, 4, 3)
    expected = mdps.greedy_values(counts, 6, chance)
    assert np.allclose(mdps.bayesian_exploration_bonus(0)(counts, 6, chance), expected) and np.allclose(
        mdps.ucrl2(0)(counts, 6, chance), expected, atol=1e-5
    )
    bold = MDPPosterior(counts.rewards, counts.visits, counts.next_states, 0.0)
    assert np.allclose(
        mdps.bayesian_exploration_bonus(1)(bold, 6, chance), expected, atol=1e-5
    )  # 1 / (1 + visits) more is a prior 1 higher
    draws = [mdps.opsrl(3)(counts, 6, chance) > mdps.psrl(counts, 6, chance) for _ in range(50)]
    assert np.mean(draws) > 0.7  # the best of three against one


def test_a_posterior_is_that_of_normal_rewards_and_counted_moves():
    visits = np.full((20000, 1, 1), 3, np.float32)
    counts = MDPPosterior(np.full_like(visits, 5), visits, np.broadcast_to(np.float32([2, 1]), (20000, 1, 1, 2)), 1.0)
    rewards, shares = mdps.sample_model(counts, np.random.default_rng(3))
    assert rewards.mean() == pytest.approx((1 + 5) / 4, abs=0.02) and rewards.std() == pytest.approx(1 / 2, abs=0.01)
    assert shares[..., 0].mean() == pytest.approx(3 / 5, abs=0.01)  # Beta(3, 2)
    assert shares[..., 0].var() == pytest.approx(3 * 2 / (25 * 6), abs=0.002)


@pytest.mark.parametrize(
    "plan, published",  # Duan et al. 2016, table 2, at 10 and 25 episodes
    [
        (mdps.psrl, (138.1, 408.8)),
        (mdps.opsrl(5), (144.1, 425.2)),
        (mdps.greedy_values, (134.8, 368.8)),
    ],
)
def test_plans_earn_what_was_published_if_rewards_are_thought_to_be_0_beforehand(plan, published):
    env = trials.make_trials("tabular-mdps", 600, episodes=25)
    returns = play_trials(env, MDPPolicy(plan, prior=0, seed=1), np.arange(600)).returns.cumsum(1)
    assert_means_agree(returns[:, 9], published[0])
    assert_means_agree(returns[:, 24], published[1])


def test_knowing_the_tasks_or_their_prior_raises_returns():
    env = trials.make_trials("tabular-mdps", 400)
    policies = {
        "informed": None,
        "prior 1": MDPPolicy(mdps.greedy_values, seed=1),
        "prior 0": MDPPolicy(mdps.greedy_values, prior=0, seed=1),
    }
    env.reset(np.arange(400), np.ones(400, bool))
    policies["informed"] = MDPPolicy(mdps.known_model(env.family.means, env.family.transitions))
    returns = {name: play_trials(env, act, np.arange(400)).returns.sum(1) for name, act in policies.items()}
    assert returns["informed"].mean() > 1.3 * returns["prior 1"].mean()
    assert returns["prior 1"].mean() > returns["prior 0"].mean() + 10
    best = value_iteration(env.family.means, env.family.transitions, 10)[:, 0, 0].max(-1)
    assert returns["informed"].mean() == pytest.approx(10 * best.mean(), rel=0.01)
