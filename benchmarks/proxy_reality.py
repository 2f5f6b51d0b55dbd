"""Localization on proxy reality, random looks against one fixed look: `python benchmarks/proxy_reality.py`.

Both arms have the same images, steps and network, and are tested on the same scenes twice: path-traced (proxy reality), and rendered
by MuJoCo with random looks. The difference of the two is what another renderer costs. The table's centre stands beside. Each seed of
each arm is a run below --runs, so that a stopped measurement goes on. Writes results/proxy-reality.csv (a row a seed, arm and test);
with --sheet alone only docs/proxy-reality.png, the first scenes in both worlds.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from caudex.cli.main import main as caudex
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.system import system_at_scale, write_settings
from caudex.data.images.decode import ImageFormat
from caudex.data.images.positions import read_positions
from caudex.envs.scenes.randomiser import ROWS
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.location import location_errors
from caudex.models.locator import Locator

ARMS = {"random looks": {}, "one fixed look": {"off": tuple(ROWS)}}
RENDERERS = {"proxy reality": "mitsuba", "the same scenes by MuJoCo": "mujoco"}
SHEET = 16  # scenes


def train(folder: Path, settings: dict, seed: int, images: int, steps: int, size: int) -> tuple[Locator, dict]:
    """The model, and how long its training took; what is trained is loaded, what was stopped goes on."""
    run = Run(folder, seed, Hardware(device="cpu", threads=1))
    run.quiet, started = True, time.perf_counter()
    system = replace(
        system_at_scale("localization"), images=images, steps=steps, seed=seed, size=size, test_images=2, **settings
    )
    write_settings(system, run)
    model = system.train(run)
    if run.read_json("measured") is None:
        run.write_json("measured", {"seconds": round(time.perf_counter() - started)})
    return model, run.read_json("measured")


def write_sheet(folders: list[Path], file: Path, enlarge: int = 2, columns: int = 8) -> None:
    """Rows of the same scenes, first as trainings see them, then path-traced."""
    rows = []
    for start in range(0, SHEET, columns):
        for folder in folders:
            images = [Image.open(folder / f"{i:05d}.png") for i in range(start, start + columns)]
            rows.append(np.concatenate([np.asarray(image) for image in images], 1))
    sheet = Image.fromarray(np.concatenate(rows)).quantize(256)  # a third of the bytes
    sheet.resize((sheet.width * enlarge, sheet.height * enlarge), Image.Resampling.NEAREST).save(file, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=400, help="test images")
    parser.add_argument("--runs", type=Path, default=Path("runs/proxy-reality"))
    parser.add_argument("--out", type=Path, default=Path("results/proxy-reality.csv"))
    parser.add_argument("--sheet", action="store_true")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    settings.runs.mkdir(parents=True, exist_ok=True)
    folders = {name: settings.runs / f"{renderer}-{settings.size}" for name, renderer in RENDERERS.items()}
    for name, folder in folders.items():
        if not folder.exists():
            size, count = str(settings.size), str(settings.count)
            caudex(["render", str(folder), "--count", count, "--size", size, "--renderer", RENDERERS[name]])
    if settings.sheet:
        write_sheet(list(folders.values())[::-1], Path("docs/proxy-reality.png"))
        return
    tests = {
        name: read_positions(folder, ImageFormat((3, settings.size, settings.size))) for name, folder in folders.items()
    }
    rows = []
    for arm, seed in ((arm, seed) for seed in settings.seeds for arm in settings.arms):
        folder = settings.runs / f"{arm.replace(' ', '-')}-{settings.images}-{settings.steps}" / str(seed)
        model, measured = train(folder, ARMS[arm], seed, settings.images, settings.steps, settings.size)
        for name, test in tests.items():
            row = location_errors(model.positions(test.images), test.positions)
            setting = {"arm": arm, "seed": seed, "test": name, "images": settings.images, "steps": settings.steps}
            columns = ("error", "low", "high", "median", "near", "chance", "near_chance", "test_size")
            rows.append(setting | {column: round(row[column], 4) for column in columns} | measured)
            print(f"{arm:16} seed {seed} {name:26} {row['error']:6.2f} cm, chance {row['chance']:.2f}", flush=True)
    with settings.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for arm in settings.arms:
        for name in tests:
            errors = [row["error"] for row in rows if (row["arm"], row["test"]) == (arm, name)]
            mean, low, high = t_interval(errors)
            print(f"{arm:16} {name:26} {mean:6.2f} cm ({low:.2f} to {high:.2f}, {len(errors)} seeds)")


if __name__ == "__main__":
    main()
