"""Errors of localization without parts of the randomiser, and by the number of textures: `python benchmarks/localization.py`.

Every arm has the same images, steps and network, and the same test scenes: looks outside of the ranges of training, and new draws
within. Each seed of each arm is a run below --runs, so that a stopped measurement goes on. Writes results/localization.csv (a row
a seed) and docs/localization-textures.png.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path

import matplotlib
import torch

from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.system import system_at_scale, write_settings
from caudex.envs.scenes.randomiser import ROWS
from caudex.evaluation.intervals import t_interval

TEXTURES = (1, 10, 100, 1000)
EVERYTHING = "all rows, 1,000 textures"
ARMS = {
    EVERYTHING: {},
    "one fixed look": {"off": tuple(ROWS)},
    "no distractors": {"off": ("distractors",)},
    "still camera": {"off": ("camera", "angle", "fov")},
    **{f"{count:,} texture{'s' * (count > 1)}": {"textures": count} for count in TEXTURES[:-1]},
}
TESTS = ("held-out looks", "training looks")


def run_folder(settings: argparse.Namespace, arm: str, seed: int) -> Path:
    name = arm.replace(" ", "-").replace(",", "")
    return settings.runs / f"{name}-{settings.images}-{settings.steps}" / str(seed)


def measure(folder: Path, settings: dict, seed: int, images: int, steps: int) -> None:
    """Train and test, unless that was done."""
    run = Run(folder, seed, Hardware(device="cpu", threads=1))
    run.quiet = True
    if run.read_json("measured") is None:
        started = time.perf_counter()
        system = replace(system_at_scale("localization"), images=images, steps=steps, seed=seed, **settings)
        write_settings(system, run)
        system.train(run)
        run.write_json("measured", {"seconds": round(time.perf_counter() - started)})


def plot(rows: list[dict], file: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4.6, 3.4), layout="constrained")
    for test in TESTS:
        means, intervals = [], []
        for count in TEXTURES:
            name = EVERYTHING if count == TEXTURES[-1] else f"{count:,} texture{'s' * (count > 1)}"
            mean, low, _ = t_interval([row["error"] for row in rows if row["arm"] == name and row["test"] == test])
            means.append(mean)
            intervals.append(0 if low == -float("inf") else mean - low)
        axis.errorbar(TEXTURES, means, intervals, marker="o", capsize=3, label=test)
    chance = next(row["chance"] for row in rows if row["test"] == TESTS[0])
    axis.axhline(chance, ls=":", color="gray", label="the table's centre")
    axis.set(xscale="log", xlabel="different textures", ylabel="mean error, cm", ylim=(0, None))
    axis.legend()
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further run after these")
    parser.add_argument("--runs", type=Path, default=Path("runs/localization"))
    settings = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    jobs = [(arm, seed) for seed in settings.seeds for arm in settings.arms]
    for arm, seed in jobs:
        if (time.perf_counter() - started) / 60 < settings.minutes:
            measure(run_folder(settings, arm, seed), ARMS[arm], seed, settings.images, settings.steps)
    rows = []
    for arm, seed in ((arm, seed) for arm in ARMS for seed in settings.seeds):
        run = Run(run_folder(settings, arm, seed))
        if (measured := run.read_json("measured")) is None:
            continue
        for test in TESTS:
            row, columns = (
                run.read_json("results")[test],
                ("error", "low", "high", "median", "near", "chance", "test_size"),
            )
            setting = {"arm": arm, "seed": seed, "test": test, "images": settings.images, "steps": settings.steps}
            rows.append(setting | {name: round(row[name], 4) for name in columns} | measured)
    with Path("results/localization.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for arm in ARMS:
        for test in TESTS:
            errors = [row["error"] for row in rows if (row["arm"], row["test"]) == (arm, test)]
            if errors:
                mean, low, high = t_interval(errors)
                print(f"{arm:28} {test:16} {mean:6.2f} cm ({low:.2f} to {high:.2f}, {len(errors)} seeds)")
    if {row["arm"] for row in rows} == set(ARMS):
        plot(rows, Path("docs/localization-textures.png"))


if __name__ == "__main__":
    main()
