"""What classical ways earn on the tasks of RL² (Duan et al. 2016, tables 1 to 3), on tasks for tests; results/rl2-classics.csv.

    python benchmarks/classics.py                  # all: some forty minutes of one processor
    python benchmarks/classics.py bandits mazes    # these alone; the rows of the others stay

Settings (UCB's width and such) are chosen for each cell on other tasks, those to learn from. Means over tasks with their
standard errors; `published` is what the paper prints, of 1,000 tasks. The same tasks for all ways of a cell.
"""

import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from caudex.envs import random_policy
from caudex.envs.meta import trials
from caudex.evaluation.baselines import bandits, gittins, mazes, mdps
from caudex.evaluation.baselines.mdps import MDPPolicy

TASKS, FEWER, CHOICE, TOGETHER = 10_000, 2_500, 2_000, 2_500
PULLS, ARMS, EPISODES = (10, 100, 500), (5, 10, 50), (10, 25, 50, 75, 100)
FILE = Path("results/rl2-classics.csv")
COLUMNS = ("tasks", "cell", "way", "setting", "measure", "mean", "error", "count", "published")

WIDTHS, CHANCES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0), (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
BONUSES, SHARES, DRAWS = (0.25, 0.5, 0.75, 1.0, 1.5), (0.03, 0.1, 0.2, 0.3), (2, 5, 10)

TABLE_1 = {  # rows: 5, 10, 50 arms at 10 pulls, then at 100 and 500
    "random": (5.0, 5.0, 5.1, 49.9, 49.9, 49.8, 249.8, 249.0, 249.6),
    "gittins": (6.6, 6.6, 6.5, 78.3, 82.8, 85.2, 405.8, 437.8, 463.7),
    "thompson": (5.7, 5.5, 5.2, 74.7, 76.7, 64.5, 402.0, 429.5, 427.2),
    "optimistic thompson": (6.5, 6.2, 5.5, 77.9, 81.4, 67.7, 406.7, 438.9, 437.6),
    "ucb1": (6.7, 6.7, 6.6, 78.0, 82.4, 84.3, 405.8, 437.1, 457.6),
    "epsilon-greedy": (6.6, 6.6, 6.5, 75.4, 77.4, 78.3, 388.2, 408.0, 413.6),
    "greedy": (6.6, 6.6, 6.5, 74.8, 77.1, 78.0, 380.6, 395.0, 402.8),
}
TABLE_2 = {  # at 10, 25, 50, 75, 100 episodes
    "random": (100.1, 250.2, 499.7, 749.9, 999.4),
    "psrl": (138.1, 408.8, 904.4, 1417.1, 1939.5),
    "opsrl": (144.1, 425.2, 930.7, 1449.2, 1973.9),
    "ucrl2": (146.6, 424.1, 918.9, 1427.6, 1942.1),
    "beb": (150.2, 427.8, 917.8, 1422.6, 1935.1),
    "epsilon-greedy": (132.8, 377.3, 823.3, 1293.9, 1778.2),
    "greedy": (134.8, 368.8, 769.3, 1172.9, 1578.5),
}

Act = Callable[[np.ndarray], np.ndarray]


def at_random(env: trials.Trials, seed: int) -> Act:
    return random_policy(env.action_space, seed)


def summed(count: int, test: bool, name: str, act: Callable[[trials.Trials, int], Act], ends, **settings) -> np.ndarray:
    """Rewards up to the end of so many episodes, [count, len(ends)]; `act` makes what acts in some trials, from a seed."""
    found = []
    for begin in range(0, count, TOGETHER):
        env = trials.make_trials(name, min(TOGETHER, count - begin), test, **settings)
        seeds = np.arange(begin, begin + env.num_envs)
        played = trials.play_trials(env, act(env, begin), seeds)
        found.append(played.returns.cumsum(1)[:, np.array(ends) - 1])
    return np.concatenate(found)


def best(play: Callable, tried: dict, count: int = TASKS, choice: int = CHOICE) -> list[tuple[object, np.ndarray]]:
    """For each end the setting that earned most on other tasks, and what it earns on those for tests."""
    earned = np.stack([play(choice, False, way).mean(0) for way in tried.values()])
    chosen = [list(tried)[i] for i in earned.argmax(0)]
    found = {setting: play(count, True, tried[setting]) for setting in set(chosen)}
    return [(setting, found[setting][:, end]) for end, setting in enumerate(chosen)]


def row(
    tasks: str, cell: str, way: str, setting: object, measure: str, values: np.ndarray, published: object = ""
) -> dict:
    error = values.std(ddof=1) / np.sqrt(len(values))
    told = (tasks, cell, way, setting, measure, f"{values.mean():.4g}", f"{error:.2g}", len(values), published)
    if measure == "reward":
        told = (*told[:5], f"{values.mean():.3f}", f"{error:.3f}", *told[7:])
    print(*told, sep=", ", flush=True)
    return dict(zip(COLUMNS, told))


def of_bandits() -> list[dict]:
    rows = []
    for place, arms in enumerate(ARMS):

        def play(count, test, rule, arms=arms, pulls=PULLS):
            def act(env, seed):
                return bandits.BanditPolicy(rule, seed)

            return summed(count, test, "bandits", act, pulls, arms=arms, pulls=max(pulls))

        rules = {"greedy": bandits.greedy_rule, "thompson": bandits.thompson_sampling}
        rules |= {"optimistic thompson": bandits.optimistic_thompson_sampling}
        by_chance = summed(TASKS, True, "bandits", at_random, PULLS, arms=arms, pulls=max(PULLS))
        earned_by_policy = {"random": [("", earned) for earned in by_chance.T]}
        earned_by_policy |= {
            name: [("", earned) for earned in play(TASKS, True, rule).T] for name, rule in rules.items()
        }
        earned_by_policy["epsilon-greedy"] = best(
            play, {chance: bandits.epsilon_greedy_rule(chance) for chance in CHANCES}
        )
        earned_by_policy["ucb1"] = best(play, {width: bandits.ucb1(width) for width in WIDTHS})
        earned_by_policy["gittins"] = [
            ("", play(TASKS, True, gittins.gittins_rule(n), pulls=(n,))[:, 0]) for n in PULLS
        ]
        for name, cells in earned_by_policy.items():
            for end, (setting, earned) in enumerate(cells):
                cell = f"{PULLS[end]} pulls, {arms} arms"
                rows.append(row("bandits", cell, name, setting, "reward", earned, TABLE_1[name][3 * end + place]))
        exact = bandits.bayes_optimal_return(arms, 10)
        told = ("bandits", f"10 pulls, {arms} arms", "optimum", "", "reward", f"{exact:.4f}", 0, "exact", "")
        rows.append(dict(zip(COLUMNS, told)))
    return rows


def of_mdps() -> list[dict]:
    """Rewards thought to be 1 beforehand, as the tasks are drawn, and 0, as in the paper, which makes beb no different."""
    rows = []
    for prior, count in ((1, TASKS), (0, FEWER)):

        def play(count, test, way, prior=prior):
            plan, epsilon = way

            def act(env, seed):
                return MDPPolicy(plan, prior=prior, epsilon=epsilon, seed=seed)

            return summed(count, test, "tabular-mdps", act, EPISODES, episodes=EPISODES[-1])

        plain = {"greedy": mdps.greedy_values, "psrl": mdps.psrl}
        by_chance = summed(count, True, "tabular-mdps", at_random, EPISODES, episodes=EPISODES[-1])
        earned_by_policy = {"random": [("", earned) for earned in by_chance.T]}
        earned_by_policy |= {
            name: [("", earned) for earned in play(count, True, (plan, 0)).T] for name, plan in plain.items()
        }
        if prior:
            earned_by_policy["beb"] = best(
                play, {bonus: (mdps.bayesian_exploration_bonus(bonus), 0) for bonus in BONUSES}, count, CHOICE // 2
            )
        earned_by_policy["epsilon-greedy"] = best(
            play, {chance: (mdps.greedy_values, chance) for chance in CHANCES[2:]}, count, CHOICE // 2
        )
        earned_by_policy["opsrl"] = best(play, {draws: (mdps.opsrl(draws), 0) for draws in DRAWS}, count, CHOICE // 2)
        earned_by_policy["ucrl2"] = best(play, {share: (mdps.ucrl2(share), 0) for share in SHARES}, count, CHOICE // 2)
        for name, cells in earned_by_policy.items():
            for end, (setting, earned) in enumerate(cells):
                cell = f"{EPISODES[end]} episodes, prior {prior}"
                rows.append(row("tabular-mdps", cell, name, setting, "reward", earned, TABLE_2[name][end]))

    def act(env, seed):
        env.reset(np.arange(seed, seed + env.num_envs), np.ones(env.num_envs, bool))
        return MDPPolicy(mdps.known_model(env.family.means.copy(), env.family.transitions.copy()))

    informed = summed(TASKS, True, "tabular-mdps", act, EPISODES, episodes=EPISODES[-1])
    for end, earned in zip(EPISODES, informed.T):
        rows.append(row("tabular-mdps", f"{end} episodes", "informed", "", "reward", earned))
    return rows


def of_mazes() -> list[dict]:
    rows = []
    for size in ("small", "large"):
        env = trials.make_trials("mazes", CHOICE, True, size=size, view="above", episodes=5)
        earned_by_policy = {"RandomWalk": at_random(env, 0)}
        earned_by_policy |= {
            way.__name__: way(env.family) for way in (mazes.WallFollowing, mazes.CountBased, mazes.ShortestPath)
        }
        for name, act in earned_by_policy.items():
            played = trials.play_trials(env, act, np.arange(CHOICE))
            there = played.last_rewards > 0
            for i in range(5):
                cell = f"{size}, episode {i + 1}"
                rows.append(row("mazes", cell, name, "", "success", there[:, i].astype(float)))
                rows.append(row("mazes", cell, name, "", "length", played.lengths[there[:, i], i]))
            improved = (played.lengths[:, 1] <= played.lengths[:, 0]).astype(float)
            rows.append(row("mazes", f"{size}, episode 2", name, "", "no longer than episode 1", improved))
    return rows


def main() -> None:
    parts = {"bandits": of_bandits, "tabular-mdps": of_mdps, "mazes": of_mazes}
    asked = sys.argv[1:] or list(parts)
    for part in asked:
        started, made = time.process_time(), parts[part]()
        kept = list(csv.DictReader(FILE.open())) if FILE.exists() else []
        rows = [each for each in kept if each["tasks"] != part] + made
        with FILE.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(rows, key=lambda each: list(parts).index(each["tasks"])))
        print(f"{part}: {time.process_time() - started:,.0f} seconds of processor", flush=True)


if __name__ == "__main__":
    main()
