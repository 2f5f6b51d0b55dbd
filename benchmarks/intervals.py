"""How often a 95% interval of the interquartile mean holds the truth; writes results/intervals.csv.

Made returns of environments that differ in level and spread: normal, skewed (exponential), and in two heaps, where three runs of
ten fail. The truth is the interquartile mean of endless seeds. `held` are our intervals, `plain` those between 2.5% and
97.5% of the same draws.

    python benchmarks/intervals.py         # about four minutes
"""

import csv
from pathlib import Path

import numpy as np

from caudex.evaluation.intervals import bootstrap, bootstrap_interval, iqm

TRIALS, DRAWS = 500, 2000
KINDS = {
    "normal": lambda draw, shape: draw.normal(size=shape),
    "skewed": lambda draw, shape: draw.exponential(size=shape) - 1,
    "two heaps": lambda draw, shape: np.where(draw.random(shape) < 0.3, -1.5, 0.65) + 0.2 * draw.normal(size=shape),
}


def measured(kind: str, num_envs: int, seeds: int) -> dict:
    draw = np.random.default_rng([num_envs, seeds])
    levels, spreads = draw.uniform(0.2, 1.5, (num_envs, 1)), draw.uniform(0.1, 0.4, (num_envs, 1))

    def returns(count):
        return list(levels + spreads * KINDS[kind](draw, (num_envs, count)))

    truth, held, plain, widths = iqm(returns(200_000 // num_envs)), 0, 0, []
    for trial in range(TRIALS):
        found = returns(seeds)
        low, high = bootstrap_interval(iqm, found, resamples=DRAWS, seed=trial)
        narrow = np.quantile(bootstrap(iqm, found, resamples=DRAWS, seed=trial), [0.025, 0.975])
        held += low <= truth <= high
        plain += narrow[0] <= truth <= narrow[1]
        widths.append((high - low) / max(narrow[1] - narrow[0], 1e-12))
    return {
        "returns": kind, "num_envs": num_envs, "seeds": seeds, "held": held / TRIALS, "plain": plain / TRIALS,
        "wider": round(float(np.median(widths)), 2),
    }  # fmt: skip


def main() -> None:
    rows = [measured(kind, envs, seeds) for kind in KINDS for envs in (1, 2, 5, 26) for seeds in (4, 5, 10)]
    for row in rows:
        print(*row.values())
    with Path("results/intervals.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
