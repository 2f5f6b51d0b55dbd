"""What a step of the environment costs a3c in both of its forms: processor seconds of all its processes; results/a3c.csv.

    python benchmarks/actors.py            # about a minute

Medians of three turns; the first of each form is thrown away. Seconds by the clock depend on the cores that are free, so
the load of the machine stands beside them.
"""

import csv
import os
import statistics
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import torch

from caudex.core.fit import fit
from caudex.core.run import Run
from caudex.experience import Actors
from caudex.systems.reward.a3c import A3C, apply_actor_gradient, build_actor

STEPS, TURNS = 20_000, 3
FORMS = {"synchronous": A3C(asynchronous=False), "4 actors": A3C(actors=4), "2 actors": A3C(actors=2)}


def processor_seconds(processes: Iterable[int]) -> float:
    """Processor seconds of these and of this one."""
    ticks = 0
    for process in processes:
        parts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(parts[11]) + int(parts[12])
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def measure(system: A3C) -> tuple[float, float]:
    """Processor seconds, and seconds by the clock, for `STEPS` steps once all has started."""
    learner, source, _ = system.build(Run("", 0))
    actors = Actors(learner, partial(build_actor, system), system.actors, 0)
    with actors:
        processes = []
        if system.asynchronous:
            next(actors)
            processes = [actor.process.pid for actor in actors.actors.values()]
        before, started = processor_seconds(processes), time.perf_counter()
        fit(
            learner, {"policy": actors if processes else source}, steps=STEPS // (system.horizon * system.num_envs),
            **({"step": apply_actor_gradient} if processes else {}),
        )  # fmt: skip
        return processor_seconds(processes) - before, time.perf_counter() - started


def main():
    torch.set_num_threads(1)
    rows = []
    for form, system in FORMS.items():
        cpu_seconds, wall_seconds = map(statistics.median, zip(*[measure(system) for _ in range(TURNS + 1)][1:]))
        rows.append({
            "form": form, "env": system.env, "steps": STEPS, "processor_seconds": round(cpu_seconds, 2),
            "steps_per_processor_second": round(STEPS / cpu_seconds), "seconds": round(wall_seconds, 2), "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
        })  # fmt: skip
        print(rows[-1], flush=True)
    with Path("results/a3c.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
