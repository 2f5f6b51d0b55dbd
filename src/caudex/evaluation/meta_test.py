"""Meta-test: an agent that learned to learn in new tasks, compared with classical policies on the same tasks."""

from __future__ import annotations

import numpy as np
import torch

from caudex.core.console import print_once
from caudex.core.run import Run
from caudex.envs.meta.trials import Trials, TrialStatistics, play_trials, sample_task_seeds
from caudex.evaluation.baselines import bandits, classical_policies
from caudex.evaluation.intervals import t_interval, wilson_interval
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
    """A table, header first: what each policy earned in a trial; where an episode can be long or short, also how often and
    how fast it reached its end."""
    if trials.family.max_episode_steps == 1 or trials.name == "tabular-mdps":
        rows = [("", "mean return", "95% interval")]
        for name, played in statistics.items():
            mean, low, high = t_interval(played.returns.sum(1))
            rows.append((name, f"{mean:,.3f}", f"{low:,.3f} to {high:,.3f}"))
        if trials.name == "bandits" and trials.num_episodes <= MAX_OPTIMUM_PULLS:
            optimum = bandits.bayes_optimal_return(trials.num_actions, trials.num_episodes)
            rows.append(("optimum", f"{optimum:,.3f}", "exact"))
        return rows
    has_second = trials.name == "mazes" and trials.num_episodes > 1
    rows = [("", "mean return", *(f"episode {number + 1}: ended, steps" for number in range(trials.num_episodes)))]
    rows[0] += ("2nd longer, or not ended",) if has_second else ()
    for name, played in statistics.items():
        ends = [format_completion(lengths, trials.family.max_episode_steps) for lengths in played.lengths.T]
        failed = (failed_second_episodes(trials, played)[1],) if has_second else ()
        rows.append((name, f"{played.returns.sum(1).mean():,.3f}", *ends, *failed))
    return rows


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


def plot_regret(run: Run, agent: MetaAgent, statistics: dict[str, TrialStatistics], seed: int, **settings) -> None:
    """figures/regret.png: for each pull of a bandit, what the best arm would have earned more."""
    num_tasks = len(statistics["rl2"].returns)
    trials = agent.make_trials(num_tasks, **settings)
    trials.reset(sample_task_seeds(seed, num_tasks), np.ones(num_tasks, bool))
    best_mean = trials.family.means.max(1).mean()
    pulls = np.arange(1, trials.num_episodes + 1)
    figure = figure_name("regret", settings)
    with run.figure(figure, width=6.4, height=4.2) as axis:
        for name, played in statistics.items():
            width, order = (2.5, 3) if name == "rl2" else (1.2, 2)
            regret = best_mean * pulls - played.returns.mean(0).cumsum()
            axis.plot(pulls, regret, label=name, linewidth=width, zorder=order)
        axis.set(xlabel="pulls", ylabel="regret: what the best arm would have paid more")
        axis.set_title(f"{num_tasks:,} new bandits with {trials.num_actions} arms", loc="left", size=10)
        axis.set_ylim(
            0, 1.6 * max(best_mean * pulls[-1] - statistics[name].returns.sum(1).mean() for name in ("rl2", "thompson"))
        )
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    print_once(run, f"{run.path / 'figures' / figure}.png: regret against pulls")


def plot_maze_paths(
    run: Run, agent: MetaAgent, played: TrialStatistics, seed: int, greedy: bool = False, **settings
) -> None:
    """figures/mazes.png: the paths of the first two episodes in some new mazes, and the lengths of all."""
    trials = agent.make_trials(1, **settings)
    failed, failure_rate = failed_second_episodes(trials, played)
    name = figure_name("mazes", settings)
    with run.figure(name, columns=4, rows=2, width=3.0, height=3.1) as axes:
        *maze_axes, last = axes.flat
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for axis, task_seed in zip(maze_axes, sample_task_seeds(seed, len(failed))):
                draw_maze_paths(axis, trials, agent.make_policy(greedy), task_seed)
        lengths = played.lengths[:, :2]
        limits = 1, 1.25 * trials.family.max_episode_steps
        last.plot(limits, limits, color="0.7", linewidth=1)
        for mask, colour in ((~failed, "0.45"), (failed, "tab:red")):
            last.scatter(*lengths[mask].T, s=6, alpha=0.5, color=colour, linewidths=0)
        last.set(xlabel="steps of the 1st episode", ylabel="of the 2nd", xscale="log", yscale="log")
        last.set(xlim=limits, ylim=limits, aspect="equal")
        for axis in (last.xaxis, last.yaxis):
            axis.set_major_formatter("{x:.0f}")
            axis.set_minor_formatter("")
        last.set_title(f"all {len(failed):,}", loc="left", size=9)
        last.spines[["top", "right"]].set_visible(False)
        handles, labels = maze_axes[0].get_legend_handles_labels()
        figure = last.figure
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
        title = f"In {failure_rate} of {len(failed):,} new mazes the agent did not learn where the ball is (red; +: not found)"
        figure.suptitle(title, size=11)
    print_once(
        run,
        f"in {failure_rate} of {len(failed):,} new mazes the agent did not learn where the ball is: its second episode was longer "
        f"than the first, or did not end. {run.path / 'figures' / name}.png shows ways and lengths",
    )


def draw_maze_paths(axis, trials: Trials, policy, task_seed: int) -> None:
    """A new maze from above, and the paths of `policy` in the first two episodes, with their lengths: 250+ where they did not
    end at the ball."""
    maze, steps = trials.family, []

    def recording_policy(observations):
        steps.append((trials.episodes_done[0], maze.position[0]))
        return policy(observations)

    played = play_trials(trials, recording_policy, np.array([task_seed]))
    (failed,), (lengths,) = failed_second_episodes(trials, played)[0], played.lengths
    axis.imshow(maze.walls[0] > 0, cmap="Greys", vmin=0, vmax=2.2)
    captions = []
    for episode, (colour, ordinal) in enumerate((("tab:blue", "1st"), ("tab:orange", "2nd"))):
        reached = lengths[episode] < maze.max_episode_steps
        path = [position for number, position in steps if number == episode] + ([maze.target[0]] if reached else [])
        down, right = np.divmod(path, maze.side)
        offset = 0.13 * (2 * episode - 1)  # lest one hide the other
        axis.plot(right + offset, down + offset, color=colour, linewidth=1.6, label=f"{ordinal} episode")
        captions.append(f"{ordinal} {lengths[episode]:.0f}" + ("" if reached else "+"))
    down, right = np.divmod([maze.start_position[0], maze.target[0]], maze.side)
    marker = "^>v<"[maze.start_heading[0]]
    axis.plot(right[0], down[0], marker, color="black", markersize=7, linewidth=0, label="start")
    axis.plot(right[1], down[1], "o", color="tab:red", markersize=8, linewidth=0, label="ball")
    colour = "tab:red" if failed else "black"
    title = f"{', '.join(captions)}; shortest {maze.shortest_path_lengths()[0]}"
    axis.set_title(title, loc="left", size=9, color=colour)
    axis.axis("off")


def figure_name(figure: str, settings: dict) -> str:
    """`figure`, and the settings that differ from those of training."""
    return "-".join([figure, *(f"{name}-{value}".replace(":", "-") for name, value in settings.items())])
