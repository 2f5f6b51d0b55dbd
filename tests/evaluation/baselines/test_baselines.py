import numpy as np
import pytest
from scipy.optimize import linprog

from caudex.envs.meta import trials
from caudex.envs.meta.trials import play
from caudex.evaluation.baselines import bandits, gittins, mazes, mdps, ways
from caudex.evaluation.baselines.mdps import Known, Planner, planned

COUNT = 4000


def earned(rule, arms, pulls, test=False):
    """Sums of rewards [COUNT, pulls]."""
    env = trials.make("bandits", COUNT, arms=arms, pulls=pulls, test=test)
    return play(env, bandits.Puller(rule, seed=arms), np.arange(COUNT)).returns.cumsum(1)


def agree(found, published, count=1000):
    """Whether samples have a mean within three standard errors of that of `count` others of the same spread."""
    error = found.std() * np.sqrt(1 / len(found) + 1 / count)
    assert abs(found.mean() - published) < 3 * error + 0.05, (
        found.mean(),
        published,
        error,
    )  # printed with one decimal


# bandits


def test_the_optimum_is_exact():
    assert bandits.optimum(2, 2) == pytest.approx(1 / 2 + 1 / 2 * 2 / 3 + 1 / 2 * 1 / 2)  # stay after a success
    assert bandits.optimum(1, 7) == pytest.approx(7 / 2)
    assert [round(bandits.optimum(arms, 10), 4) for arms in (5, 10, 50)] == [6.6600, 6.7140, 6.7140]


@pytest.mark.parametrize(
    "arms, rows",  # of Duan et al. 2016, table 1, at 10 and 100 pulls
    [
        (5, {"thompson": (5.7, 74.7), "ucb1": (6.7, 78.0)}),
        (10, {"thompson": (5.5, 76.7), "ucb1": (6.7, 82.4)}),
        (50, {"thompson": (5.2, 64.5), "ucb1": (6.6, 84.3)}),
    ],
)
def test_rules_earn_what_was_published(arms, rows):
    rules = {"thompson": bandits.thompson, "ucb1": bandits.ucb1(0.2)}
    for name, (short, long) in rows.items():
        found = earned(rules[name], arms, 100)
        agree(found[:, 9], short)
        agree(found[:, 99], long)


@pytest.mark.parametrize(
    "name, sizes, ends, published",  # of Duan et al. 2016, tables 1 and 2
    [
        ("bandits", {"arms": 5, "pulls": 100}, (9, 99), (5.0, 49.9)),
        ("bandits", {"arms": 10, "pulls": 100}, (9, 99), (5.0, 49.9)),
        ("bandits", {"arms": 50, "pulls": 100}, (9, 99), (5.1, 49.8)),
        ("tabular-mdps", {"episodes": 25}, (9, 24), (100.1, 250.2)),
    ],
)
def test_at_random_one_earns_what_was_published(name, sizes, ends, published):
    env = trials.make(name, 600, **sizes)
    found = play(env, ways(env)["random"], np.arange(600)).returns.cumsum(1)
    for end, figure in zip(ends, published):
        agree(found[:, end], figure)


def test_no_rule_beats_the_optimum_and_gittins_comes_near():
    best = bandits.optimum(5, 10)
    for rule in (
        bandits.greedy,
        bandits.ucb1(0.2),
        bandits.optimistic,
        bandits.epsilon_greedy(0.05),
        gittins.gittins(10),
    ):
        found = earned(rule, 5, 10)[:, -1]
        assert found.mean() < best + 3 * found.std() / np.sqrt(COUNT)
    assert found.mean() > 0.97 * best
    assert earned(gittins.gittins(100), 50, 100)[:, -1].mean() > 85.2  # the paper's, by another way to the indices


def test_gittins_indices_worked_out_by_hand():
    table, starts = gittins.indices(10)
    fresh = table[starts] / 65535  # of an arm never pulled, by pulls left
    assert fresh[1] == pytest.approx(1 / 2, abs=1e-4)
    assert fresh[2] == pytest.approx((1 / 2 + 1 / 2 * 2 / 3) / (1 + 1 / 2), abs=1e-4)  # pull again after a success only
    assert (np.diff(fresh[1:]) > 0).all()  # the more pulls are left, the more there is to learn for
    paid, failed = table[starts[5] + 2] / 65535, table[starts[5] + 1] / 65535
    assert 2 / 3 < paid < 1 and 1 / 3 < failed < 1 / 2 < fresh[5] < paid


def test_long_tables_of_indices_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    monkeypatch.setattr(gittins, "LONG", 20)
    gittins.indices.cache_clear()
    first = gittins.indices(20)[0]
    (kept,) = (tmp_path / "gittins").iterdir()
    monkeypatch.setattr(gittins, "calibrated", None)  # it is not computed again
    gittins.indices.cache_clear()
    assert np.array_equal(gittins.indices(20)[0], first) and kept.stat().st_size < 1e6


def test_ties_are_broken_by_chance():
    found = bandits.highest(np.array([[1.0, 3.0, 3.0, 2.0]] * 2000), np.random.default_rng(0))
    assert set(found) == {1, 2} and 900 < (found == 1).sum() < 1100


def test_a_puller_forgets_where_a_trial_begins():
    counted = []

    def rule(wins, losses, chance):
        counted.append((wins.copy(), losses.copy()))
        return wins

    puller = bandits.Puller(rule)
    puller(np.zeros((2, 5)))
    puller(np.array([[0, 1, 0, 1, 1], [1, 0, 0, 0, 1.0]]))
    puller(np.array([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0.0]]))  # the second begins anew
    assert counted[1][0].tolist() == [[0, 1, 0], [0, 0, 0]] and counted[1][1].tolist() == [[0, 0, 0], [1, 0, 0]]
    assert counted[2][0].tolist() == [[0, 1, 0], [0, 0, 0]] and counted[2][1].tolist() == [[0, 1, 0], [0, 0, 0]]


# tabular MDPs


def known(chance, count, states, actions, prior=1.0):
    moves = chance.integers(4, size=(count, states, actions, states)).astype(np.float32)
    visits = moves.sum(-1)
    return Known(visits * chance.standard_normal(visits.shape).astype(np.float32), visits, moves, prior)


def test_value_iteration_finds_the_best_of_all_plans():
    chance = np.random.default_rng(0)
    rewards, transitions = chance.standard_normal((1, 2, 2)), chance.dirichlet(np.ones(2), (1, 2, 2))

    def worth(state, left):
        """By going through everything that can happen."""
        if not left:
            return 0.0
        follows = [sum(transitions[0, state, a, s] * worth(s, left - 1) for s in range(2)) for a in range(2)]
        return max(rewards[0, state, a] + follows[a] for a in range(2))

    found = planned(rewards, transitions, 4).max(-1)[0]
    assert np.allclose(found, [[worth(state, 4 - h) for state in range(2)] for h in range(4)])


def test_ucrl2_takes_the_best_model_within_its_bounds():
    chance, width = np.random.default_rng(1), 0.05
    seen = known(chance, 3, 4, 2)
    worth = mdps.ucrl2(width)(seen, 2, chance)
    best = worth[:, 1].max(-1)
    log = np.log(2 * 4 * 2 * (1 + seen.visits.sum((1, 2))) / 0.05)
    for i, state, action in np.ndindex(3, 4, 2):
        visits, shares = max(seen.visits[i, state, action], 1), seen.shares[i, state, action].astype(float)
        within = width * np.sqrt(14 * 4 * log[i] / visits)
        # probabilities p, and how far each is from its estimate: maximise best . p
        limits = np.block([[np.eye(4), -np.eye(4)], [-np.eye(4), -np.eye(4)], [np.zeros((1, 4)), np.ones((1, 4))]])
        bounds = np.concatenate([shares, -shares, [within]])
        total = np.concatenate([np.ones(4), np.zeros(4)])[None]
        found = linprog(np.concatenate([-best[i], np.zeros(4)]), limits, bounds, total, [shares.sum()])
        reward = seen.means[i, state, action] + width * np.sqrt(7 * log[i] / (2 * visits))
        assert worth[i, 0, state, action] == pytest.approx(reward - found.fun, abs=1e-4)


def test_ways_that_are_not_optimistic_are_greedy():
    chance = np.random.default_rng(2)
    seen = known(chance, 5, 4, 3)
    wanted = mdps.greedy(seen, 6, chance)
    assert np.allclose(mdps.beb(0)(seen, 6, chance), wanted) and np.allclose(
        mdps.ucrl2(0)(seen, 6, chance), wanted, atol=1e-5
    )
    bold = Known(seen.rewards, seen.visits, seen.moves, 0.0)
    assert np.allclose(mdps.beb(1)(bold, 6, chance), wanted, atol=1e-5)  # 1 / (1 + visits) more is a prior 1 higher
    draws = [mdps.opsrl(3)(seen, 6, chance) > mdps.psrl(seen, 6, chance) for _ in range(50)]
    assert np.mean(draws) > 0.7  # the best of three against one


def test_a_posterior_is_that_of_normal_rewards_and_counted_moves():
    visits = np.full((20000, 1, 1), 3, np.float32)
    seen = Known(np.full_like(visits, 5), visits, np.broadcast_to(np.float32([2, 1]), (20000, 1, 1, 2)), 1.0)
    rewards, shares = mdps.sampled(seen, np.random.default_rng(3))
    assert rewards.mean() == pytest.approx((1 + 5) / 4, abs=0.02) and rewards.std() == pytest.approx(1 / 2, abs=0.01)
    assert shares[..., 0].mean() == pytest.approx(3 / 5, abs=0.01)  # Beta(3, 2)
    assert shares[..., 0].var() == pytest.approx(3 * 2 / (25 * 6), abs=0.002)


@pytest.mark.parametrize(
    "plan, published",  # Duan et al. 2016, table 2, at 10 and 25 episodes
    [
        (mdps.psrl, (138.1, 408.8)),
        (mdps.opsrl(5), (144.1, 425.2)),
        (mdps.greedy, (134.8, 368.8)),
    ],
)
def test_plans_earn_what_was_published_if_rewards_are_thought_to_be_0_beforehand(plan, published):
    env = trials.make("tabular-mdps", 600, episodes=25)
    found = play(env, Planner(plan, prior=0, seed=1), np.arange(600)).returns.cumsum(1)
    agree(found[:, 9], published[0])
    agree(found[:, 24], published[1])


def test_ways_know_how_large_the_tasks_are():
    env, found = trials.make("tabular-mdps", 1000, states=3, actions=2, horizon=4, episodes=5), {}
    for name, way in ways(env, 1).items():
        found[name] = play(env, way, np.arange(1000)).returns.sum(1).mean()
    assert found.pop("random") == pytest.approx(4 * 5, abs=0.8)  # rewards are 1 in the mean
    assert min(found.values()) > 24


def test_to_know_the_tasks_or_how_they_are_drawn_is_worth_much():
    env = trials.make("tabular-mdps", 400)
    ways = {"informed": None, "prior 1": Planner(mdps.greedy, seed=1), "prior 0": Planner(mdps.greedy, prior=0, seed=1)}
    env.reset(np.arange(400), np.ones(400, bool))
    ways["informed"] = Planner(mdps.informed(env.family.means, env.family.transitions))
    found = {name: play(env, way, np.arange(400)).returns.sum(1) for name, way in ways.items()}
    assert found["informed"].mean() > 1.3 * found["prior 1"].mean()
    assert found["prior 1"].mean() > found["prior 0"].mean() + 10
    best = planned(env.family.means, env.family.transitions, 10)[:, 0, 0].max(-1)
    assert found["informed"].mean() == pytest.approx(10 * best.mean(), rel=0.01)


# mazes


@pytest.mark.parametrize("size, count", [("small", 40), ("large", 8)])
def test_the_shortest_path_is_walked_and_a_second_search_is_no_search(size, count):
    env = trials.make("mazes", count, size=size, view="above", test=True)
    family, seeds = env.family, np.arange(count)
    straight = play(env, mazes.ShortestPath(family), seeds)
    env.reset(seeds, np.ones(count, bool))
    assert np.array_equal(straight.lengths[:, 0], family.shortest()) and np.array_equal(*straight.lengths.T)
    assert np.allclose(straight.returns, 1 - 0.04 * straight.lengths)
    counted = play(env, mazes.CountBased(family), seeds)
    assert (counted.last > 0).all() and (counted.lengths[:, 1] <= counted.lengths[:, 0]).all()
    assert (counted.lengths >= straight.lengths).all()
    assert counted.lengths[:, 1].mean() < 0.5 * counted.lengths[:, 0].mean()


def test_along_a_wall_one_gets_everywhere_unless_there_is_a_block_to_go_around():
    env = trials.make("mazes", 1, view="above")
    family, sample = env.family, env.family.sample

    def fork(seeds, which):
        sample(seeds, which)
        family.walls[:] = 1
        family.walls[0, 1, 1:10] = family.walls[0, 1:10, 5] = 0  # a T; the ball is at its foot
        family.start[:], family.course[:], family.target[:] = 11 + 1, 1, 9 * 11 + 5

    family.sample = fork
    found = play(env, mazes.WallFollowing(family), np.zeros(1, int))
    # 8 to the east end, 2 to turn back, 4 to the fork, a turn to the left, 8 down
    assert found.lengths.tolist() == [[8 + 2 + 4 + 1 + 8] * 2]
    ring = trials.make("mazes", 1, view="above")
    ring.reset(np.zeros(1, int), np.ones(1, bool))
    walker = mazes.WallFollowing(ring.family)
    ring.family.walls[:] = 0
    ring.family.walls[0, [0, -1]] = ring.family.walls[0, :, [0, -1]] = ring.family.walls[0, 5, 5] = 1
    ring.family.place[:], ring.family.turn[:], ring.family.target[:] = 6 * 11 + 4, 0, 11 + 1
    places, observations = set(), ring.step(np.zeros(1, int)).observations
    for _ in range(100):
        observations = ring.step(walker(observations)).observations
        places.add(int(ring.family.place[0]))
    assert len(places) <= 9  # it goes around the block in the middle for ever


def test_a_random_walk_seldom_arrives():
    env = trials.make("mazes", 100, view="above", episodes=1)
    found = play(env, ways(env)["random"], np.arange(100))
    assert 0.05 < (found.last > 0).mean() < 0.5
    assert (found.lengths[found.last < 0] == 250).all()
