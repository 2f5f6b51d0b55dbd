"""New tasks: how who learned to learn does in them, beside the classical ways on the same tasks."""

from __future__ import annotations

import numpy as np
import torch

from caudex.agent import Agent
from caudex.claim import mean_interval
from caudex.classics import bandits, ways
from caudex.run import Run
from caudex.screen import say
from caudex.worlds import trials
from caudex.worlds.trials import Played, Trials

EXACT = 12
"""pulls up to which the optimum of bandits is told"""


def tried(agent: Agent, tasks: int, seed: int, greedy: bool = False, together: int = 2500) -> dict[str, Played]:
    """A trial of each of `tasks` new tasks, by the agent and by each classical way, [tasks, episodes]."""
    found: dict[str, list[Played]] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for some in np.array_split(trials.drawn(seed, tasks), -(-tasks // together)):
            world = agent.tasks(len(some))
            for name, act in {"rl2": agent.begin(greedy), **ways(world, seed + int(some[0]))}.items():
                found.setdefault(name, []).append(trials.play(world, act, some))
            world.close()
    return {name: Played(*map(np.concatenate, zip(*parts))) for name, parts in found.items()}


def told(world: Trials, found: dict[str, Played]) -> list[tuple]:
    """Rows for the screen, header first: what each way earned in a trial; where an episode can be long or short, also how
    often and how fast it came to its end."""
    if world.family.limit == 1 or world.name == "tabular-mdps":
        rows = [("", "mean return", "95% interval")]
        for name, played in found.items():
            mean, low, high = mean_interval(played.returns.sum(1))
            rows.append((name, f"{mean:,.3f}", f"{low:,.3f} to {high:,.3f}"))
        if world.name == "bandits" and world.wanted <= EXACT:
            rows.append(("optimum", f"{bandits.optimum(world.choices, world.wanted):,.3f}", "exact"))
        return rows
    rows = [
        ("", "mean return", *(f"episode {number + 1}: ended, steps" for number in range(world.wanted)), "2nd no longer")
    ]
    for name, played in found.items():
        ended = played.lengths < world.family.limit
        ends = [f"{ended[:, i].mean():.1%}, {played.lengths[ended[:, i], i].mean():,.1f}" for i in range(world.wanted)]
        better = (played.lengths[:, 1] <= played.lengths[:, 0]).mean() if world.wanted > 1 else np.nan
        rows.append((name, f"{played.returns.sum(1).mean():,.3f}", *ends, f"{better:.1%}"))
    return rows


def regret(run: Run, agent: Agent, found: dict[str, Played], seed: int) -> None:
    """figures/regret.png: what was not earned, for each pull of a bandit or episode, since the best arm was not known."""
    tasks = len(found["rl2"].returns)
    world = agent.tasks(tasks)
    world.reset(trials.drawn(seed, tasks), np.ones(tasks, bool))
    best = world.family.means.max(1).mean()
    pulls = np.arange(1, world.wanted + 1)
    with run.figure("regret", width=6.4, height=4.2) as axis:
        for name, played in found.items():
            lost = best * pulls - played.returns.mean(0).cumsum()
            axis.plot(
                pulls, lost, label=name, linewidth=2.5 if name == "rl2" else 1.2, zorder=3 if name == "rl2" else 2
            )
        axis.set(xlabel="pulls", ylabel="regret: what the best arm would have paid more")
        axis.set_title(f"{tasks:,} new bandits with {world.choices} arms", loc="left", size=10)
        axis.set_ylim(
            0, 1.6 * max(best * pulls[-1] - found[name].returns.sum(1).mean() for name in ("rl2", "thompson"))
        )
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    say(run, f"{run.path / 'figures' / 'regret.png'}: regret against pulls")
