"""Classical policies for new tasks: the baselines of an agent that learned to learn."""

from __future__ import annotations

from caudex.envs import Policy, random_policy
from caudex.envs.meta.trials import Trials
from caudex.evaluation.baselines import bandits, gittins, mazes, mdps


def classical_policies(trials: Trials, seed: int = 0) -> dict[str, Policy]:
    """The classical policies for these trials by name, with settings that benchmarks/classics.py found good on other tasks;
    for tasks of a user's function, the random policy alone."""
    policies: dict[str, Policy] = {"random": random_policy(trials.action_space, seed)}
    if trials.name == "bandits":
        rules = {
            "greedy": bandits.greedy_rule, "epsilon-greedy 0.02": bandits.epsilon_greedy_rule(0.02),
            "thompson": bandits.thompson_sampling, "optimistic thompson": bandits.optimistic_thompson_sampling,
            "ucb1 0.2": bandits.ucb1(0.2), "gittins": gittins.gittins_rule(trials.num_episodes),
        }  # fmt: skip
        policies |= {name: bandits.BanditPolicy(rule, seed) for name, rule in rules.items()}
    if trials.name == "tabular-mdps":
        planners = {
            "greedy": mdps.greedy_values, "beb 0.5": mdps.bayesian_exploration_bonus(0.5), "psrl": mdps.psrl,
            "opsrl 5": mdps.opsrl(5), "ucrl2 0.1": mdps.ucrl2(0.1),
        }  # fmt: skip
        states, actions = trials.family.means.shape[1:]
        sizes = {"states": states, "actions": actions, "horizon": trials.family.max_episode_steps}
        policies |= {name: mdps.MDPPolicy(planner, **sizes, prior=1, seed=seed) for name, planner in planners.items()}
    if trials.name == "mazes":
        kinds = (mazes.WallFollowing, mazes.CountBased, mazes.ShortestPath)
        names = ("wall following", "count-based", "shortest path")
        policies |= {name: kind(trials.family, seed) for name, kind in zip(names, kinds)}
    return policies
