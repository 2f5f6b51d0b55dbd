"""The tables of RL² (Duan et al. 2016, tables 1 to 3), learned by rl2; results/rl2.csv.

    python benchmarks/tables.py runs/tables                               # all: hours of one core
    python benchmarks/tables.py runs/tables bandits-100-10 mazes-small    # these alone; the rows of the others stay

A cell is one training on one thread, `caudex train rl2` with the settings that its row tells; what is done is not done
again. Settings were chosen with seed 100, of which no row is. Then the last weights draw their actions in the tasks that the
classical ways were tried in (results/rl2-classics.csv), which are new. Means over tasks with their standard errors; `published`
is what the paper prints for RL², of 1,000 tasks. In large mazes the agent that learned in small ones is tried, as published.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch

from caudex.cli.flags import format_value
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.system import load, save_model, write_settings
from caudex.envs.meta import trials
from caudex.envs.meta.trials import TrialStatistics
from caudex.models.meta_agent import MetaAgent
from caudex.systems.meta.rl2 import RL2

FILE = Path("results/rl2.csv")
COLUMNS = ("cell", "measure", "mean", "error", "tasks", "published", "minutes", "settings")
SEED, TEST_TASKS, MAZE_TEST_TASKS, BATCH_SIZE = 0, 10_000, 2_000, 2_500

TEN = {"pulls": 10, "tasks": 2_500, "batch": 250, "total_steps": 10_000_000}
HUNDRED = {"pulls": 100, "total_steps": 80_000_000, "epochs": 1, "batch": 50, "lr": 0.015}
MANY = {"pulls": 500, "tasks": 100, "total_steps": 80_000_000, "epochs": 1, "batch": 10, "lr": 0.015}
MDPS = RL2.scales["mdps"]
CELLS = {  # settings, and the paper's figure
    "bandits-10-5": (TEN | {"arms": 5}, 6.7),
    "bandits-10-10": (TEN | {"arms": 10}, 6.7),
    "bandits-10-50": (TEN | {"arms": 50}, 6.8),
    "bandits-100-5": (HUNDRED | {"arms": 5}, 78.7),
    "bandits-100-10": (HUNDRED | {"arms": 10}, 83.5),
    "bandits-100-50": (HUNDRED | {"arms": 50, "total_steps": 160_000_000}, 84.9),
    "bandits-500-5": (MANY | {"arms": 5}, 401.6),
    "bandits-500-10": (MANY | {"arms": 10}, 432.5),
    "bandits-500-50": (MANY | {"arms": 50}, 438.9),
    "mdps-10": (MDPS | {"episodes": 10}, 156.2),
    "mdps-25": (MDPS | {"episodes": 25, "total_steps": 15_000_000, "tasks": 200, "batch": 10, "lr": 0.002}, 445.7),
    "mazes-small": (RL2.scales["mazes"], None),
    "mazes-large": (RL2.scales["mazes"], None),
}
PUBLISHED_IN_MAZES = {  # by the paper: steps of the trajectories that came to the target, how many did, and how many were no longer
    "mazes-small": (52.4, 39.1, 0.993, 0.996, 0.917),
    "mazes-large": (180.1, 151.8, 0.971, 0.967, 0.714),
}


def train_or_load(folder: Path, settings: dict) -> tuple[MetaAgent, Run]:
    """A finished training is loaded."""
    run = Run(folder, SEED, Hardware(threads=1))
    if not run.read_json("finished"):
        system = RL2(seed=SEED, **settings)
        write_settings(system, run)
        save_model(system.train(run), run)
    return load(folder), run


def play_new_tasks(agent: MetaAgent, count: int, **changed) -> TrialStatistics:
    """In the tasks of results/rl2-classics.csv."""
    parts = []
    torch.manual_seed(0)
    for start in range(0, count, BATCH_SIZE):
        env = agent.make_trials(min(BATCH_SIZE, count - start), **changed)
        parts.append(trials.play_trials(env, agent.make_policy(), np.arange(start, start + env.num_envs)))
    return TrialStatistics(*map(np.concatenate, zip(*parts)))


def cell_rows(cell: str, folder: Path) -> list[dict]:
    settings, published = CELLS[cell]
    agent, run = train_or_load(folder / ("mazes-small" if "mazes" in cell else cell), settings)
    if "mazes" not in cell:
        measures = [("reward", play_new_tasks(agent, TEST_TASKS).returns.sum(1), published)]
    else:
        played = play_new_tasks(agent, MAZE_TEST_TASKS, size=cell.removeprefix("mazes-"))
        (first, second), (first_success, second_success) = played.lengths[:, :2].T, played.last_rewards[:, :2].T > 0
        measures = [
            ("length of episode 1", first[first_success]),
            ("length of episode 2", second[second_success]),
            ("success of episode 1", first_success),
            ("success of episode 2", second_success),
            ("episode 2 no longer than 1", second <= first),
        ]
        measures = [(*measure, published) for measure, published in zip(measures, PUBLISHED_IN_MAZES[cell])]
    minutes = round(run.read_json("compute")["seconds"] / 60, 1)
    flags = " ".join(
        f"--{name} {format_value(value)}" for name, value in (settings | {"seed": SEED, "threads": 1}).items()
    )
    rows = []
    for measure, values, published in measures:
        error = values.std(ddof=1) / np.sqrt(len(values))
        mean, error = (f"{x:.4g}" if measure != "reward" else f"{x:.3f}" for x in (values.mean(), error))
        rows.append(dict(zip(COLUMNS, (cell, measure, mean, error, len(values), published, minutes, flags))))
        print(*rows[-1].values(), sep=", ", flush=True)
    return rows


def main() -> None:
    folder, *cells = sys.argv[1:]
    for cell in cells or CELLS:
        new_rows = cell_rows(cell, Path(folder))
        old_rows = list(csv.DictReader(FILE.open())) if FILE.exists() else []
        rows = [row for row in old_rows if row["cell"] != cell] + new_rows
        with FILE.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(rows, key=lambda row: list(CELLS).index(row["cell"])))


if __name__ == "__main__":
    main()
