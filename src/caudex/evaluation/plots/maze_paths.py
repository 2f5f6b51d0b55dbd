"""The paths of a meta-agent in new mazes, and the lengths of its episodes."""

from __future__ import annotations

import numpy as np
import torch

from caudex.core.console import print_once
from caudex.core.run import Run
from caudex.envs.meta.trials import Trials, TrialStatistics, play_trials, sample_task_seeds
from caudex.evaluation.meta_test import failed_second_episodes, figure_name
from caudex.models.meta_agent import MetaAgent


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
