"""Systems that learned from reward side by side, over environments and seeds (after Agarwal et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import special

from caudex.core.errors import CaudexError, counted
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.system import System, open_run, system_name
from caudex.evaluation.intervals import (
    MIN_SEEDS,
    Scores,
    bootstrap_interval,
    bootstrap_p_value,
    iqm,
    normalised_score,
    probability_of_improvement,
    t_interval,
)
from caudex.evaluation.measure_claim import seed_folders
from caudex.evaluation.play_time import play_time_cells
from caudex.evaluation.plots.performance_profiles import plot_performance_profiles
from caudex.evaluation.reference_scores import reference_scores
from caudex.evaluation.verdicts import Gain, format_mean, format_verdict, gain_without_spread, with_verdicts
from caudex.reports.comparison import ComparisonColumn, flag_of, run_cost
from caudex.reports.run_contents import SeedScores

RANDOM = "random"


class SeedReturns(NamedTuple):
    """One system in one environment with one seed; `returns` are its own, and those of the baselines of its run."""

    system: str
    settings: dict
    env: str
    seed: int
    returns: dict[str, float]
    cost: dict[str, float]
    play_time: dict[str, float | None] = {}  # noqa: RUF012 - never mutated; of Atari games


def return_columns(runs: Sequence[tuple[System, Run]]) -> list[ComparisonColumn]:
    """A column for each system over its environments and seeds; where one environment has several settings of a system, a column
    for each of its settings. Then the baselines of their runs, the random policy last."""
    measured = [seed_returns(*seed) for pair in runs for seed in seed_runs(*pair)]
    split = {
        a.system for a in measured for b in measured
        if (a.system, a.env) == (b.system, b.env) and a.settings != b.settings
    }  # fmt: skip
    columns: dict[tuple, ComparisonColumn] = {}
    baselines: dict[tuple, ComparisonColumn] = {}
    for seed in measured:
        key = (seed.system, str(seed.settings) if seed.system in split else "")
        column = columns.setdefault(key, ComparisonColumn(seed.system, settings=dict(seed.settings)))
        column.settings |= {k: "by environment" for k, v in seed.settings.items() if column.settings[k] != v}
        for name, amount in seed.cost.items():
            column.cost[name] = column.cost.get(name, 0.0) + amount
        if seed.play_time:
            column.play_times.setdefault(seed.env, []).append(seed.play_time)
        for name, earned in seed.returns.items():
            baseline_key = (name,) if name == RANDOM else (name, *key)
            target = column if name == seed.system else baselines.setdefault(baseline_key, ComparisonColumn(name))
            target.returns.setdefault(seed.env, {})[seed.seed] = earned
    for (name, is_split), column in columns.items():
        column.name = " ".join([name, *(distinguishing_flags(name, column.settings, columns) if is_split else ())])
    for (name, *key), column in baselines.items():
        if key and key[1]:
            column.name = f"{name}, baseline of {columns[tuple(key)].name}"
    return [*columns.values(), *sorted(baselines.values(), key=lambda column: column.name == RANDOM)]


def seed_runs(system: System, run: Run) -> Iterator[tuple[System, Run]]:
    """The measured seeds of a claim, or the run itself."""
    if run.read_json("plan") is None:
        yield system, run
    for folder in seed_folders(run):
        if run.folder.stat(f"{folder}/claim.json"):
            yield open_run(run.path / folder)


def seed_returns(system: System, run: Run) -> SeedReturns:
    name, settings = system_name(system), asdict(system)
    env, seed = settings.pop("env"), settings.pop("seed")
    record, results = run.read_checked("claim", SeedScores), system.read_results(run)
    if record:
        claim = record["claim"]
        returns = {name: claim["score"]} | claim["baselines"] | claim["extra_metrics"]
    else:
        returns = {name: results["policy"]["return"], RANDOM: results[RANDOM]["return"]} if "policy" in results else {}
    play_time = results.get("play_time") or {}
    return SeedReturns(name, {"system": name, **settings}, env, seed, returns, run_cost(run), play_time)


def distinguishing_flags(name: str, settings: dict, columns: Mapping[tuple, ComparisonColumn]) -> list[str]:
    """The flags in which a column differs from the others of its system, where they are not the defaults."""
    siblings = [column.settings for (system, _), column in columns.items() if system == name]
    default, flags = asdict(find_class("systems", name)()), []
    for setting, value in settings.items():
        if any(sibling[setting] != value for sibling in siblings) and value != default.get(setting):
            flag = flag_of(setting)
            flags += [flag if value is True else flag.replace("--", "--no-") if value is False else f"{flag} {value}"]
    return flags


def add_statistics(columns: Sequence[ComparisonColumn]) -> list[str]:
    """Add to the columns' cells: mean returns by environment; over the environments that all have, the probability of improvement
    over the first column, and the interquartile mean of normalised returns. Returns sentences that explain them.
    """
    columns = [column for column in columns if column.returns]  # of the others nothing is finished
    envs = list(dict.fromkeys(env for column in columns for env in column.returns))
    for column in columns:
        for env in filter(column.returns.__contains__, envs):
            column.cells |= {env: format_returns(column.returns[env].values())}
            column.cells |= play_time_cells(env, column.play_times.get(env, []))
    shared, scales = shared_envs(columns)
    improvements = improvement_cells(columns, shared)
    for column in columns:
        normalised = scores_of(column, shared, scales)
        if scales:
            column.cells["IQM, normalised"] = f"{iqm(normalised):.2f}"
            column.cells["95% interval of the IQM"] = format_iqm_interval(normalised)
        if column.name in improvements:
            column.cells[f"better than {columns[0].name}"] = improvements[column.name]
    return explain_statistics(columns, envs, shared, scales)


def improvement_cells(columns: Sequence[ComparisonColumn], shared: Sequence[str]) -> dict[str, str]:
    """For each column but the first: the probability that it earns more, and the verdict, which holds for all columns
    together."""
    if not shared or len(columns) < 2:
        return {}
    first, *others = (scores_of(column, shared) for column in columns)
    gains = with_verdicts([improvement_gain(scores, first) for scores in others])
    cells = {}
    for column, gain in zip(columns[1:], gains):
        interval = f" ({0.5 + gain.low:.0%} to {0.5 + gain.high:.0%})" if math.isfinite(gain.low) else ""
        cells[column.name] = f"{0.5 + gain.mean:.0%}{interval}, {format_verdict(gain.to_json(), '.0%')}"
    return cells


def improvement_gain(scores: Scores, baseline: Scores) -> Gain:
    """What the probability of improvement has above one half; without a spread where seeds are too few."""
    probability = float(probability_of_improvement(scores, baseline))
    bounds = bootstrap_interval(probability_of_improvement, scores, baseline)
    if bounds is None:
        return gain_without_spread(probability - 0.5)
    low, high = (float(bound) - 0.5 for bound in bounds)
    degrees = sum(len(env) - 1 for env in (*scores, *baseline))
    p_value = bootstrap_p_value(probability_of_improvement, scores, baseline, null=0.5)
    std_error = (high - low) / 2 / float(special.stdtrit(degrees, 0.975))
    return Gain(probability - 0.5, low, high, std_error, degrees, p_value)


def plot_returns(columns: Sequence[ComparisonColumn], figure: Path) -> None:
    """Performance profiles. Raises CaudexError where no environment that all columns have has reference scores."""
    columns = [column for column in columns if column.returns]
    shared, scales = shared_envs(columns)
    if not scales:
        raise CaudexError(
            f"--figure {figure}: there is no environment that all were in and that has a level to hold returns against."
        )
    plot_performance_profiles(figure, {column.name: scores_of(column, shared, scales) for column in columns})


def shared_envs(columns: Sequence[ComparisonColumn]) -> tuple[list[str], dict[str, tuple[float, float]]]:
    """The environments that all columns have, and the returns that count as 0 and as 1 in those with reference scores."""
    envs = dict.fromkeys(env for column in columns for env in column.returns)
    shared = [env for env in envs if all(env in column.returns for column in columns)]
    return shared, {env: scale for env in shared if (scale := return_scale(env, columns))}


def format_returns(returns: Collection[float]) -> str:
    mean, *interval = t_interval(list(returns))
    return f"{format_mean(mean, interval if np.isfinite(interval[0]) else None, ',.1f')} ({len(returns)})"


def return_scale(env: str, columns: Sequence[ComparisonColumn]) -> tuple[float, float] | None:
    """The returns that count as 0 and as 1."""
    reference = reference_scores(env)
    measured = [value for column in columns if column.name == RANDOM for value in column.returns[env].values()]
    if reference is None or (reference.random is None and not measured):
        return None
    return (float(np.mean(measured)) if reference.random is None else reference.random), reference.target


def scores_of(
    column: ComparisonColumn, envs: Sequence[str], scales: Mapping[str, tuple[float, float]] | None = None
) -> Scores:
    """The returns in each environment, [seeds]; with `scales` only where there is one, normalised by it."""
    returns = {env: np.array(list(column.returns[env].values())) for env in envs}
    if scales is None:
        return list(returns.values())
    return [normalised_score(returns[env], *scale) for env, scale in scales.items()]


def format_iqm_interval(normalised: Scores) -> str:
    bounds, seeds = bootstrap_interval(iqm, normalised), min(map(len, normalised))
    if bounds is None:
        return f"{counted(seeds, 'seed')} {'are' if seeds > 1 else 'is'} too few"
    return f"{bounds[0]:.2f} to {bounds[1]:.2f}"


def explain_statistics(
    columns: Sequence[ComparisonColumn], envs: Sequence[str], shared: Sequence[str], scales: Mapping
) -> list[str]:
    if not envs:
        return []
    sentences = ["Mean return ± half its 95% interval by Student's t over the seeds, whose number stands in brackets."]
    if scales:
        good = " or ".join(dict.fromkeys(reference_scores(env).target_name for env in scales))
        sentences.append(
            f"IQM: the mean of the middle half of all runs in {counted(len(scales), 'environment')}, which count alike, returns "
            f"normalised so that 0 is acting at random and 1 is {good}; the interval resamples the seeds of each environment, and "
            f"needs {MIN_SEEDS} of them (Agarwal et al. 2021)."
        )
    if len(columns) > 1 and shared:
        compared = len(columns) - 1
        together = f"; the verdicts hold for all {compared} comparisons together (Holm 1979)" if compared > 1 else ""
        sentences.append(
            f"Better than {columns[0].name}: the probability that one run earns more than one of these, in the same environment; "
            f"better or worse where its interval leaves 50% out, which needs {MIN_SEEDS} seeds{together}."
        )
    for env in envs:
        if env not in shared:
            sentences.append(f"{env} counts in none of the figures over environments: not all were in it.")
        elif env not in scales:
            sentences.append(f"{env} does not count in the IQM: nobody has published what is good there.")
    return sentences
