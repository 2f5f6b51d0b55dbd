"""Classical ways to act in tasks that are new: what an agent that learned to learn is measured against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caudex.envs import anything
from caudex.envs.meta.trials import Trials
from caudex.evaluation.baselines import bandits, gittins, mazes, mdps

Act = Callable[[np.ndarray], np.ndarray]
"""observations [N, D] of trials to actions"""


def ways(env: Trials, seed: int = 0) -> dict[str, Act]:
    """The classical ways to act in `environment` by name, with settings that benchmarks/classics.py found good on other tasks; for
    tasks that others made, acting at random alone."""
    found: dict[str, Act] = {"random": anything(env.action, seed)}
    if env.name == "bandits":
        rules = {
            "greedy": bandits.greedy, "epsilon-greedy 0.02": bandits.epsilon_greedy(0.02), "thompson": bandits.thompson,
            "optimistic thompson": bandits.optimistic, "ucb1 0.2": bandits.ucb1(0.2),
            "gittins": gittins.gittins(env.wanted),
        }  # fmt: skip
        found |= {name: bandits.Puller(rule, seed) for name, rule in rules.items()}
    if env.name == "tabular-mdps":
        plans = {
            "greedy": mdps.greedy, "beb 0.5": mdps.beb(0.5), "psrl": mdps.psrl, "opsrl 5": mdps.opsrl(5),
            "ucrl2 0.1": mdps.ucrl2(0.1),
        }  # fmt: skip
        states, actions = env.family.means.shape[1:]
        sizes = {"states": states, "actions": actions, "horizon": env.family.limit}
        found |= {name: mdps.Planner(plan, **sizes, prior=1, seed=seed) for name, plan in plans.items()}
    if env.name == "mazes":
        kinds = (mazes.WallFollowing, mazes.CountBased, mazes.ShortestPath)
        names = ("wall following", "count-based", "shortest path")
        found |= {name: kind(env.family, seed) for name, kind in zip(names, kinds)}
    return found
