"""Meta-test: an agent that learned to learn in new tasks, compared with classical policies on the same tasks."""

from __future__ import annotations

import numpy as np
import torch

from caudex.envs.meta.trials import Trials, TrialStatistics, play_trials, sample_task_seeds
from caudex.evaluation.baselines import bandits, classical_policies
from caudex.evaluation.intervals import t_interval, wilson_interval
from caudex.evaluation.verdicts import format_verdict, paired_gain, with_verdicts
from caudex.models.meta_agent import MetaAgent

MAX_OPTIMUM_PULLS = 12
"""pulls up to which the Bayes-optimal return of bandits is computed"""


def evaluate_new_tasks(
    agent: MetaAgent, num_tasks: int, seed: int, greedy: bool = False, chunk_size: int = 2500, **settings
) -> dict[str, TrialStatistics]:
    """A trial of each of `num_tasks` new tasks, by the agent ("rl2") and by each classical policy, [tasks, episodes];
    `settings` as `MetaAgent.make_trials` takes them."""
    parts: dict[str, list[TrialStatistics]] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for seeds in np.array_split(sample_task_seeds(seed, num_tasks), -(-num_tasks // chunk_size)):
            trials = agent.make_trials(len(seeds), **settings)
            policies = {"rl2": agent.make_policy(greedy), **classical_policies(trials, seed + int(seeds[0]))}
            for name, policy in policies.items():
                parts.setdefault(name, []).append(play_trials(trials, policy, seeds))
            trials.close()
    return {name: TrialStatistics(*map(np.concatenate, zip(*part))) for name, part in parts.items()}


def statistics_rows(trials: Trials, statistics: dict[str, TrialStatistics]) -> list[tuple]:
    """A table, header first: what each policy earned in a trial, and what rl2 gained over it in the same tasks; where an
    episode can be long or short, also how often and how fast it reached its end."""
    gains = verdicts_of_rl2(statistics)
    if trials.family.max_episode_steps == 1 or trials.name == "tabular-mdps":
        rows = [("", "mean return", "95% interval", "rl2 against it")]
        for name, played in statistics.items():
            mean, low, high = t_interval(played.returns.sum(1))
            rows.append((name, f"{mean:,.3f}", f"{low:,.3f} to {high:,.3f}", gains.get(name, "")))
        if trials.name == "bandits" and trials.num_episodes <= MAX_OPTIMUM_PULLS:
            optimum = bandits.bayes_optimal_return(trials.num_actions, trials.num_episodes)
            rows.append(("optimum", f"{optimum:,.3f}", "exact", ""))
        return rows
    has_second = trials.name == "mazes" and trials.num_episodes > 1
    rows = [
        (
            "",
            "mean return",
            "rl2 against it",
            *(f"episode {number + 1}: ended, steps" for number in range(trials.num_episodes)),
        )
    ]
    rows[0] += ("2nd longer, or not ended",) if has_second else ()
    for name, played in statistics.items():
        ends = [format_completion(lengths, trials.family.max_episode_steps) for lengths in played.lengths.T]
        failed = (failed_second_episodes(trials, played)[1],) if has_second else ()
        rows.append((name, f"{played.returns.sum(1).mean():,.3f}", gains.get(name, ""), *ends, *failed))
    return rows


def verdicts_of_rl2(statistics: dict[str, TrialStatistics]) -> dict[str, str]:
    """The gain of rl2 over each other policy, paired by task and judged together."""
    returns = {name: played.returns.sum(1) for name, played in statistics.items()}
    rl2 = returns.pop("rl2")
    gains = with_verdicts([paired_gain(rl2, other) for other in returns.values()])
    return {name: f"{gain.mean:+,.3f}, {format_verdict(gain.to_json(), ',.3f')}" for name, gain in zip(returns, gains)}


def format_completion(lengths: np.ndarray, max_episode_steps: int) -> str:
    """The share of these episodes that reached their end, and their mean length."""
    completed = lengths[lengths < max_episode_steps]
    return f"{len(completed) / len(lengths):.1%}" + (f", {completed.mean():,.1f}" if len(completed) else "")


def failed_second_episodes(trials: Trials, played: TrialStatistics) -> tuple[np.ndarray, str]:
    """Where the agent did not learn the position of the ball, bool [N]: the second episode was longer than the first, or did
    not end. And how often, with its interval."""
    first, second = played.lengths[:, 0], played.lengths[:, 1]
    failed = (second > first) | (second >= trials.family.max_episode_steps)
    low, high = wilson_interval(failed.mean(), len(failed))
    return failed, f"{failed.mean():.1%} ({low:.1%} to {high:.1%})"


def figure_name(figure: str, settings: dict) -> str:
    """`figure`, and the settings that differ from those of training."""
    return "-".join([figure, *(f"{name}-{value}".replace(":", "-") for name, value in settings.items())])
