"""What `fit` costs a step over the bare loop, with a trunk of one layer; writes results/overhead.csv.

python benchmarks/overhead.py
"""

import csv
import statistics
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.source import Source
from caudex.signals import Labels
from caudex.trunks import MLP

STEPS, REPEATS = 2000, 7


class Rows(NamedTuple):
    rows: Tensor
    labels: Tensor
    weights: Tensor | None = None


class Same(Source):
    def __init__(self):
        self.batch = Rows(torch.randn(32, 16), torch.randint(4, (32,)))

    def __next__(self):
        return self.batch


def bare(seed: int) -> float:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    batch = Same().batch
    started = time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(batch.rows), batch.labels).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - started


def ours(seed: int, folder: Path) -> float:
    learner = Learner(MLP(16, (16,)), {"labels": Labels(4)}, partial(torch.optim.AdamW, lr=1e-3, fused=True))
    run = Run(folder, seed)
    run.quiet = True
    started = time.perf_counter()
    fit(learner, {"labels": Same()}, steps=STEPS, run=run)
    return time.perf_counter() - started


def main() -> None:
    import tempfile

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ours(0, Path(folder) / "warm")
        pairs = [(bare(i), ours(i, Path(folder) / str(i))) for i in range(REPEATS)]
    extra = [(b - a) / STEPS * 1e6 for a, b in pairs]
    row = {
        "bare_us_a_step": round(statistics.median(a for a, _ in pairs) / STEPS * 1e6, 1),
        "fit_us_a_step": round(statistics.median(b for _, b in pairs) / STEPS * 1e6, 1),
        "overhead_us_median": round(statistics.median(extra), 1),
        "overhead_us_min": round(min(extra), 1),
        "overhead_us_max": round(max(extra), 1),
    }
    print(row)
    with Path("results/overhead.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
