"""Steps a second of sac beside Stable-Baselines3's SAC on one thread, and beside its own updates alone; writes
results/sac_speed.csv. Both have the same networks and batch, and one update to a step of the environment.

python benchmarks/sac.py
"""

import csv
import statistics
import tempfile
import time
from pathlib import Path

import gymnasium
import torch
from stable_baselines3 import SAC as SB3SAC
from stable_baselines3.common.callbacks import BaseCallback

from caudex.core.fit import fit
from caudex.core.run import Run
from caudex.systems.reward.sac import SAC

ENV, STEPS, LEARNING_STARTS, ROUNDS = "HalfCheetah-v5", 500, 200, 3


class Clock:
    """Wall-clock and processor seconds of this process."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def rates(self, steps: int) -> tuple[float, float]:
        return steps / (time.perf_counter() - self.wall), steps / (time.process_time() - self.cpu)


def caudex_rates(seed: int, num_envs: int) -> tuple[tuple, tuple]:
    """Rates of training, and of updates alone on one batch."""
    system = SAC(env=ENV, num_envs=num_envs, learning_starts=LEARNING_STARTS, lr=3e-4)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, seed)
        run.quiet = True
        runner, spec = system.make_envs(run)
        learner = system.learner(spec)
        source = system.source(runner, learner, run)
        batch = next(source)
        fit(learner, {"policy": source}, steps=50)
        clock = Clock()
        fit(learner, {"policy": source}, steps=STEPS, run=run.stage("training"))
        training = clock.rates(STEPS)
    learner.train()
    clock = Clock()
    for _ in range(STEPS // 3):
        learner.step({"policy": batch})
    return training, clock.rates(STEPS // 3)


class Started(BaseCallback):
    """Takes the time once learning has begun."""

    clock = None

    def _on_step(self) -> bool:
        if self.num_timesteps == LEARNING_STARTS + 50:
            self.clock = Clock()
        return True


def sb3_rates(seed: int) -> tuple:
    env, started = gymnasium.make(ENV), Started()
    policy = {"net_arch": [256, 256]}
    model = SB3SAC("MlpPolicy", env, batch_size=256, learning_starts=LEARNING_STARTS, policy_kwargs=policy, seed=seed)
    model.learn(STEPS + LEARNING_STARTS + 50, callback=started)
    return started.clock.rates(STEPS)


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for seed in range(ROUNDS):
        (eight, updates), (one, _), peer = caudex_rates(seed, 8), caudex_rates(seed, 1), sb3_rates(seed)
        rates_by_name = {
            "caudex": eight,
            "caudex, one environment": one,
            "updates alone": updates,
            "stable-baselines3": peer,
        }
        rows.append(rates_by_name)
        print({name: [round(rate, 1) for rate in rates] for name, rates in rates_by_name.items()}, flush=True)
    table = []
    for name in rows[0]:
        row = {"what": name}
        for i, clock in enumerate(("wall", "cpu")):
            row[f"steps_per_second_{clock}"] = round(statistics.median(rates[name][i] for rates in rows), 1)
            for other in ("stable-baselines3", "updates alone"):
                share = statistics.median(rates[name][i] / rates[other][i] for rates in rows)
                row[f"over_{other.replace(' ', '_')}_{clock}"] = round(share, 3)
        table.append(row)
        print(row)
    with Path("results/sac_speed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
