"""Steps a second of the tasks that trials draw, on one thread; writes results/trials.csv.

    python benchmarks/trials.py            # about a minute

Seconds are those of the processor, so that other work on the machine counts little; the median of five turns. A step is a
whole step of `Trials`: what came before is put beside what is seen.
"""

import csv
import statistics
import time
from pathlib import Path

import numpy as np

from caudex.envs.meta import trials
from caudex.envs.meta.maze_camera import MazeCamera

TURNS, STEPS = 5, 200
KINDS = [
    *(("bandits", {"arms": arms, "pulls": 1 << 40}, 1024) for arms in (5, 10, 50)),
    ("tabular-mdps", {"episodes": 1 << 40}, 1024),
    *(
        ("mazes", {"size": size, "view": view, "episodes": 2}, 256)
        for size in ("small", "large")
        for view in ("inside", "above")
    ),
]


def rate(work, amount: int) -> int:
    """Median amount a second of processor."""
    found = []
    for _ in range(TURNS):
        started = time.process_time()
        work()
        found.append(amount / (time.process_time() - started))
    return round(statistics.median(found))


def main() -> None:
    rows = []
    for name, settings, count in KINDS:
        env, seeds, every = trials.make_trials(name, count, **settings), np.arange(count), np.ones(count, bool)
        actions = np.random.default_rng(0).integers(env.num_actions, size=(STEPS, count))

        def steps(env=env, actions=actions):
            for each in actions:
                env.step(each)

        def draw(env=env, seeds=seeds, every=every):
            env.reset(seeds, every)

        drawn = rate(draw, count)
        told = " ".join(str(settings[key]) for key in ("arms", "size", "view") if key in settings)
        rows.append((name, told, count, rate(steps, STEPS * count), drawn))
        if settings.get("view") == "inside":
            family = env.family
            camera, where = MazeCamera(family.side, 32), (family.walls, family.position, family.heading, family.target)

            def render(camera=camera, where=where):
                for _ in range(50):
                    camera.render(*where)

            rows.append(("images alone", settings["size"], count, rate(render, 50 * count), ""))
    columns = ("tasks", "settings", "side by side", "steps a second", "tasks drawn a second")
    with Path("results/trials.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    for row in (columns, *rows):
        print(*row, sep=", ")


if __name__ == "__main__":
    main()
