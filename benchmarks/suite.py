"""Environments of the DeepMind Control Suite on one core: steps a second as numbers and as images of 84 pixels, and images a
second, ours and those of dm_control's own renderer, which has shadows and smooth edges; seconds of this process. Writes
results/suite.csv.

python benchmarks/suite.py
"""

import csv
import os
import time
from pathlib import Path

os.environ |= {"MUJOCO_GL": "egl", "LP_NUM_THREADS": "0"}  # without a graphics card, OpenGL paints in this thread alone
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np
from dm_control import suite  # with its own renderer, which our environments leave out

from caudex import envs

TASKS = ("cartpole-swingup", "finger-spin", "reacher-easy", "cheetah-run", "walker-walk", "ball_in_cup-catch")


def rate(act) -> float:
    """Times a second, over two seconds."""
    for _ in range(3):
        act()
    began, times = time.process_time(), 0
    while (spent := time.process_time() - began) < 2:
        act()
        times += 1
    return times / spent


def runner(env):
    """One step, at random; a new episode where one has ended."""
    draw, all_ = np.random.default_rng(0), np.ones(1, bool)
    env.reset(np.zeros(1, np.int64), all_)

    def step():
        found = env.step(draw.uniform(-1, 1, (1, *env.action_space.shape)).astype(np.float32))
        if found.truncated[0]:
            env.reset(np.zeros(1, np.int64), all_)

    return step


def measured(task: str) -> dict:
    numbers, images = (envs.make(f"{kind}/{task}-v0", 1) for kind in ("dm_control", "dm_pixels"))
    row = {"task": task, "repeat": numbers.repeat, "steps/s": rate(runner(numbers))}
    row["steps/s with images"] = rate(runner(images))
    row["pictures/s"] = rate(lambda: images.camera.render(images.envs[0].physics))
    plain = suite.load(*task.split("-"))
    plain.reset()
    row["dm_control's images/s"] = rate(lambda: plain.physics.render(84, 84, camera_id=0))
    return {name: round(value) if isinstance(value, float) else value for name, value in row.items()}


if __name__ == "__main__":
    rows = []
    for task in TASKS:
        rows.append(measured(task))
        print(rows[-1], flush=True)
    with (Path(__file__).parent.parent / "results" / "suite.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    os._exit(0)  # dm_control complains of what it has closed itself
