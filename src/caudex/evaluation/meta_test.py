"""New tasks: how who learned to learn does in them, beside the classical ways on the same tasks."""

from __future__ import annotations

import numpy as np
import torch

from caudex.core.console import print_once
from caudex.core.run import Run
from caudex.envs.meta import trials
from caudex.envs.meta.trials import Played, Trials
from caudex.evaluation.baselines import bandits, ways
from caudex.evaluation.intervals import t_interval, wilson_interval
from caudex.models.meta_agent import MetaAgent

EXACT = 12
"""pulls up to which the optimum of bandits is told"""


def tried(
    agent: MetaAgent, tasks: int, seed: int, greedy: bool = False, together: int = 2500, **changed
) -> dict[str, Played]:
    """A trial of each of `tasks` new tasks, by the agent and by each classical way, [tasks, episodes]; `changed` settings as
    `Agent.tasks` takes them."""
    found: dict[str, list[Played]] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for some in np.array_split(trials.drawn(seed, tasks), -(-tasks // together)):
            env = agent.tasks(len(some), **changed)
            for name, act in {"rl2": agent.begin(greedy), **ways(env, seed + int(some[0]))}.items():
                found.setdefault(name, []).append(trials.play(env, act, some))
            env.close()
    return {name: Played(*map(np.concatenate, zip(*parts))) for name, parts in found.items()}


def told(env: Trials, found: dict[str, Played]) -> list[tuple]:
    """Rows for the screen, header first: what each way earned in a trial; where an episode can be long or short, also how
    often and how fast it came to its end."""
    if env.family.limit == 1 or env.name == "tabular-mdps":
        rows = [("", "mean return", "95% interval")]
        for name, played in found.items():
            mean, low, high = t_interval(played.returns.sum(1))
            rows.append((name, f"{mean:,.3f}", f"{low:,.3f} to {high:,.3f}"))
        if env.name == "bandits" and env.wanted <= EXACT:
            rows.append(("optimum", f"{bandits.optimum(env.choices, env.wanted):,.3f}", "exact"))
        return rows
    failing = env.name == "mazes" and env.wanted > 1
    rows = [("", "mean return", *(f"episode {number + 1}: ended, steps" for number in range(env.wanted)))]
    rows[0] += ("2nd longer, or not ended",) if failing else ()
    for name, played in found.items():
        ends = [ended(lengths, env.family.limit) for lengths in played.lengths.T]
        failed = (lost(env, played)[1],) if failing else ()
        rows.append((name, f"{played.returns.sum(1).mean():,.3f}", *ends, *failed))
    return rows


def ended(lengths: np.ndarray, limit: int) -> str:
    """How many of these episodes came to their end, and in how many steps."""
    own = lengths[lengths < limit]
    return f"{len(own) / len(lengths):.1%}" + (f", {own.mean():,.1f}" if len(own) else "")


def lost(env: Trials, played: Played) -> tuple[np.ndarray, str]:
    """Who did not learn where the ball is, bool [N]: the second episode was longer than the first, or did not end. And how
    often, with its interval."""
    first, second = played.lengths[:, 0], played.lengths[:, 1]
    failed = (second > first) | (second >= env.family.limit)
    low, high = wilson_interval(failed.mean(), len(failed))
    return failed, f"{failed.mean():.1%} ({low:.1%} to {high:.1%})"


def regret(run: Run, agent: MetaAgent, found: dict[str, Played], seed: int, **changed) -> None:
    """figures/regret.png: what was not earned, for each pull of a bandit or episode, since the best arm was not known."""
    tasks = len(found["rl2"].returns)
    env = agent.tasks(tasks, **changed)
    env.reset(trials.drawn(seed, tasks), np.ones(tasks, bool))
    best = env.family.means.max(1).mean()
    pulls = np.arange(1, env.wanted + 1)
    figure = named("regret", changed)
    with run.figure(figure, width=6.4, height=4.2) as axis:
        for name, played in found.items():
            width, order = (2.5, 3) if name == "rl2" else (1.2, 2)
            missed = best * pulls - played.returns.mean(0).cumsum()
            axis.plot(pulls, missed, label=name, linewidth=width, zorder=order)
        axis.set(xlabel="pulls", ylabel="regret: what the best arm would have paid more")
        axis.set_title(f"{tasks:,} new bandits with {env.choices} arms", loc="left", size=10)
        axis.set_ylim(
            0, 1.6 * max(best * pulls[-1] - found[name].returns.sum(1).mean() for name in ("rl2", "thompson"))
        )
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    print_once(run, f"{run.path / 'figures' / figure}.png: regret against pulls")


def maze_figure(run: Run, agent: MetaAgent, played: Played, seed: int, greedy: bool = False, **changed) -> None:
    """figures/mazes.png: the ways of the first two episodes in some new mazes, and how long they were in all."""
    env = agent.tasks(1, **changed)
    failed, often = lost(env, played)
    name = named("mazes", changed)
    with run.figure(name, columns=4, rows=2, width=3.0, height=3.1) as axes:
        *some, last = axes.flat
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for axis, task in zip(some, trials.drawn(seed, len(failed))):
                draw_maze(axis, env, agent.begin(greedy), task)
        lengths = played.lengths[:, :2]
        ends = 1, 1.25 * env.family.limit
        last.plot(ends, ends, color="0.7", linewidth=1)
        for which, colour in ((~failed, "0.45"), (failed, "tab:red")):
            last.scatter(*lengths[which].T, s=6, alpha=0.5, color=colour, linewidths=0)
        last.set(xlabel="steps of the 1st episode", ylabel="of the 2nd", xscale="log", yscale="log")
        last.set(xlim=ends, ylim=ends, aspect="equal")
        for axis in (last.xaxis, last.yaxis):
            axis.set_major_formatter("{x:.0f}")
            axis.set_minor_formatter("")
        last.set_title(f"all {len(failed):,}", loc="left", size=9)
        last.spines[["top", "right"]].set_visible(False)
        handles, labels = some[0].get_legend_handles_labels()
        figure = last.figure
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
        title = f"In {often} of {len(failed):,} new mazes the agent did not learn where the ball is (red; +: not found)"
        figure.suptitle(title, size=11)
    print_once(
        run,
        f"in {often} of {len(failed):,} new mazes the agent did not learn where the ball is: its second episode was longer "
        f"than the first, or did not end. {run.path / 'figures' / name}.png shows ways and lengths",
    )


def draw_maze(axis, env: Trials, act, task: int) -> None:
    """A new maze from above, and the ways that `act` takes through it in the first two episodes, with their steps: 250+ where
    these did not end at the ball."""
    maze, steps = env.family, []

    def noting(observations):
        steps.append((env.episodes[0], maze.place[0]))
        return act(observations)

    played = trials.play(env, noting, np.array([task]))
    (failed,), (lengths,) = lost(env, played)[0], played.lengths
    axis.imshow(maze.walls[0] > 0, cmap="Greys", vmin=0, vmax=2.2)
    told = []
    for episode, (colour, which) in enumerate((("tab:blue", "1st"), ("tab:orange", "2nd"))):
        arrived = lengths[episode] < maze.limit
        way = [place for number, place in steps if number == episode] + ([maze.target[0]] if arrived else [])
        down, right = np.divmod(way, maze.side)
        aside = 0.13 * (2 * episode - 1)  # lest one hide the other
        axis.plot(right + aside, down + aside, color=colour, linewidth=1.6, label=f"{which} episode")
        told.append(f"{which} {lengths[episode]:.0f}" + ("" if arrived else "+"))
    down, right = np.divmod([maze.start[0], maze.target[0]], maze.side)
    axis.plot(right[0], down[0], "^>v<"[maze.course[0]], color="black", markersize=7, linewidth=0, label="start")
    axis.plot(right[1], down[1], "o", color="tab:red", markersize=8, linewidth=0, label="ball")
    colour = "tab:red" if failed else "black"
    axis.set_title(f"{', '.join(told)}; shortest {maze.shortest()[0]}", loc="left", size=9, color=colour)
    axis.axis("off")


def named(figure: str, changed: dict) -> str:
    """Of a figure of tasks that were changed so."""
    return "-".join([figure, *(f"{name}-{value}".replace(":", "-") for name, value in changed.items())])
