"""The regret of a meta-agent and of classical policies in new bandits."""

from __future__ import annotations

import numpy as np

from caudex.core.console import print_once
from caudex.core.run import Run
from caudex.envs.meta.trials import TrialStatistics, sample_task_seeds
from caudex.evaluation.meta_test import figure_name
from caudex.models.meta_agent import MetaAgent


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
