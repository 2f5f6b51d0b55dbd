"""Runs that learned from reward, side by side: over environments and seeds, as Agarwal et al. 2021 ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.system import System, name_of, open_run
from caudex.evaluation import intervals as statistics
from caudex.evaluation.intervals import LEAST, Scores, mean_interval
from caudex.evaluation.reference_scores import levels
from caudex.reports.comparison import Column, flag, spent
from caudex.reports.figures import profiles
from caudex.reports.tables import spread

RANDOM = "random"


class Part(NamedTuple):
    """One system in one environment with one seed; `returns` are its own, and of those that were measured beside it."""

    name: str
    settings: dict
    env: str
    seed: int
    returns: dict[str, float]
    cost: dict[str, float]


def of_envs(runs: Sequence[tuple[System, Run]]) -> list[Column]:
    """A column for each system, whatever its environments and seeds, or where it meets itself in an environment, for each of its
    settings; then those that were measured beside it, at last acting at random."""
    parts = [part(*each) for pair in runs for each in seeds(*pair)]
    several = {a.name for a in parts for b in parts if (a.name, a.env) == (b.name, b.env) and a.settings != b.settings}
    own: dict[tuple, Column] = {}
    beside: dict[tuple, Column] = {}
    for one in parts:
        key = (one.name, str(one.settings) if one.name in several else "")
        column = own.setdefault(key, Column(one.name, settings=dict(one.settings)))
        column.settings |= {k: "by environment" for k, v in one.settings.items() if column.settings[k] != v}
        for name, more in one.cost.items():
            column.cost[name] = column.cost.get(name, 0.0) + more
        for who, figure in one.returns.items():
            place = () if who == RANDOM else key
            it = column if who == one.name else beside.setdefault((who, *place), Column(who))
            it.returns.setdefault(one.env, {})[one.seed] = figure
    for (name, apart), column in own.items():
        column.name = " ".join([name, *(chosen(name, column.settings, own) if apart else ())])
    for (who, *place), column in beside.items():
        if place and place[1]:
            column.name = f"{who}, beside {own[tuple(place)].name}"
    return [*own.values(), *sorted(beside.values(), key=lambda column: column.name == RANDOM)]


def seeds(system: System, run: Run) -> Iterator[tuple[System, Run]]:
    """Those of a claim that are measured, or the run itself."""
    if not run.read_json("plan"):
        yield system, run
    for file in sorted(run.path.glob("stages/**/seed-*/claim.json")):
        yield open_run(file.parent)


def part(system: System, run: Run) -> Part:
    name, settings = name_of(system), asdict(system)
    env, seed = settings.pop("env"), settings.pop("seed")
    claim, results = run.read_json("claim", {}).get("claim"), run.read_json("results")
    if claim:
        returns = {name: claim["figure"]} | claim["against"] | claim["further"]
    else:
        returns = {name: results["policy"]["return"], RANDOM: results[RANDOM]["return"]} if results else {}
    return Part(name, {"system": name, **settings}, env, seed, returns, spent(run))


def chosen(name: str, settings: dict, own: Mapping[tuple, Column]) -> list[str]:
    """The flags of a system's column that tell it from the other ones of this system, where they are not the defaults."""
    alike = [column.settings for (its, _), column in own.items() if its == name]
    default, words = asdict(find_class("systems", name)()), []
    for setting, value in settings.items():
        if any(other[setting] != value for other in alike) and value != default.get(setting):
            word = flag(setting)
            words += [word if value is True else word.replace("--", "--no-") if value is False else f"{word} {value}"]
    return words


def judge(columns: Sequence[Column]) -> list[str]:
    """Write into the columns what they earned: means by environment; over the environments that all have, how probably each is better
    than the first, and of returns normalised by `levels` the interquartile mean. Returns sentences that say how to read it.
    """
    columns = [column for column in columns if column.returns]  # of the others nothing is finished
    envs = list(dict.fromkeys(env for column in columns for env in column.returns))
    for column in columns:
        column.told |= {env: mean(column.returns[env].values()) for env in envs if env in column.returns}
    shared, scales = comparable(columns)
    for column in columns:
        raw, normal = scores(column, shared), scores(column, shared, scales)
        if scales:
            column.told["IQM, normalised"] = f"{statistics.iqm(normal):.2f}"
            column.told["its 95% interval"] = within(normal)
        if shared and column is not columns[0]:
            first = scores(columns[0], shared)
            better, sure = statistics.improvement(raw, first), statistics.interval(statistics.improvement, raw, first)
            interval = "" if sure is None else f" ({sure[0]:.0%} to {sure[1]:.0%})"
            column.told[f"better than {columns[0].name}"] = f"{better:.0%}{interval}"
    return legend(columns, envs, shared, scales)


def draw(columns: Sequence[Column], figure: Path) -> None:
    """Performance profiles. Raises CaudexError where no environment that all were in has a level."""
    columns = [column for column in columns if column.returns]
    shared, scales = comparable(columns)
    if not scales:
        raise CaudexError(
            f"--figure {figure}: there is no environment that all were in and that has a level to hold returns against."
        )
    profiles(figure, {column.name: scores(column, shared, scales) for column in columns})


def comparable(columns: Sequence[Column]) -> tuple[list[str], dict[str, tuple[float, float]]]:
    """The environments that all were in, and what counts as 0 and as 1 in those of them that have a level."""
    envs = dict.fromkeys(env for column in columns for env in column.returns)
    shared = [env for env in envs if all(env in column.returns for column in columns)]
    return shared, {env: scale for env in shared if (scale := between(env, columns))}


def mean(returns: Collection[float]) -> str:
    average, *bounds = mean_interval(list(returns))
    return f"{spread(average, bounds if np.isfinite(bounds[0]) else None, ',.1f')} ({len(returns)})"


def between(env: str, columns: Sequence[Column]) -> tuple[float, float] | None:
    """The returns that count as 0 and as 1."""
    known = levels(env)
    measured = [each for column in columns if column.name == RANDOM for each in column.returns[env].values()]
    if known is None or (known.random is None and not measured):
        return None
    return (float(np.mean(measured)) if known.random is None else known.random), known.good


def scores(column: Column, envs: Sequence[str], scales: Mapping[str, tuple[float, float]] | None = None) -> Scores:
    """Returns of each environment, [seeds]; with `scales` of those alone that have one, normalised by it."""
    own = {env: np.array(list(column.returns[env].values())) for env in envs}
    if scales is None:
        return list(own.values())
    return [statistics.normalised(own[env], *scale) for env, scale in scales.items()]


def within(normal: Scores) -> str:
    found, least = statistics.interval(statistics.iqm, normal), min(map(len, normal))
    return (
        f"{least} seed{'s are' if least > 1 else ' is'} too few"
        if found is None
        else f"{found[0]:.2f} to {found[1]:.2f}"
    )


def legend(columns: Sequence[Column], envs: Sequence[str], shared: Sequence[str], scales: Mapping) -> list[str]:
    if not envs:
        return []
    said = ["Mean return ± half its 95% interval by Student's t over the seeds, whose number stands in brackets."]
    if scales:
        good = " or ".join(dict.fromkeys(levels(env).what for env in scales))
        said.append(
            f"IQM: the mean of the middle half of all runs in {len(scales)} environment{'s' * (len(scales) > 1)}, returns "
            f"normalised so that 0 is acting at random and 1 is {good}; the interval draws the seeds of each environment anew, and "
            f"needs {LEAST} of them (Agarwal et al. 2021)."
        )
    if len(columns) > 1 and shared:
        said.append(
            f"Better than {columns[0].name}: how probably one run earns more than one of these, in the same environment."
        )
    for env in envs:
        if env not in shared:
            said.append(f"{env} counts in none of the figures over environments: not all were in it.")
        elif env not in scales:
            said.append(f"{env} does not count in the IQM: nobody has published what is good there.")
    return said
