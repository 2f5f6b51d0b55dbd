"""Environments of other packages, learned in as they are: what is earned at random and by what was learned; writes
results/environments.csv. Rows that stand there are not measured again, so that it may be stopped and begun again.

    pip install minigrid highway-env box2d
    python benchmarks/environments.py [--only TEXT]
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import torch

from caudex.core.run import Run
from caudex.systems.reward.dqn import DQN
from caudex.systems.reward.ppo import PPO
from caudex.systems.reward.shared import RewardSystem

TRAININGS = {
    "ppo": [
        PPO(env="minigrid:MiniGrid-DoorKey-5x5-v0", total_steps=200_000),
        PPO(env="Taxi-v4", total_steps=300_000),
        PPO(env="LunarLander-v3", total_steps=200_000),
        PPO(
            env="highway_env:highway-fast-v0", total_steps=8192, horizon=64
        ),  # a step of highway-v0 takes a third of a second
    ],
    "dqn": [DQN(env="Taxi-v4", total_steps=100_000), DQN(env="LunarLander-v3", total_steps=100_000)],
}
FILE = Path(__file__).parents[1] / "results" / "environments.csv"
COLUMNS = ("environment", "system", "steps", "seconds", "return at random", "return")


def measure(name: str, system: RewardSystem) -> dict[str, str | int]:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, seed=1)
        system.train(run)
        returns = run.read_json("results")
        seconds = time.perf_counter() - started
    figures = (f"{seconds:.0f}", *(f"{returns[policy]['return']:.2f}" for policy in ("random", "policy")))
    return dict(zip(COLUMNS, (system.env, name, system.total_steps, *figures)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure environments with this text in their names alone")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    rows = list(csv.DictReader(FILE.read_text().splitlines())) if FILE.exists() else []
    for name, systems in TRAININGS.items():
        for system in systems:
            key = {"environment": system.env, "system": name, "steps": str(system.total_steps)}
            if only not in system.env or any(key.items() <= row.items() for row in rows):
                continue
            rows.append(measure(name, system))
            print(rows[-1], flush=True)
            with FILE.open("w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
