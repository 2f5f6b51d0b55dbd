"""What the publications' scales would cost: one step at full width on two pictures, counted; writes results/paper-scales.csv.

Hours and money are those of a machine that keeps up 100 TFLOP/s and costs 2.50 an hour.

    python benchmarks/paper_scales.py
"""

import csv
from dataclasses import replace
from pathlib import Path

import torch

from caudex.compute import PETAFLOP_S_DAY, counting
from caudex.data import Batch
from caudex.system import scaled

SYSTEMS = ("simclr", "moco", "rotation", "jigsaw", "inpainting", "colorization")
SUSTAINED, PRICE, PICTURES = 100e12, 2.5, 2


def main() -> None:
    rows = []
    for name in SYSTEMS:
        paper = scaled(name, "paper")
        small = replace(paper, batch=PICTURES, **({"queue": 2 * PICTURES} if name == "moco" else {}))
        learner = small.learner({"shape": [3, paper.size, paper.size]})
        pictures = torch.rand(PICTURES, 3, paper.size, paper.size)
        batch = Batch(pictures, torch.zeros(PICTURES), torch.arange(PICTURES), other=pictures)
        with counting(learner) as counter:
            learner.step(dict.fromkeys(learner.signals, batch))
        flops = counter.flops / PICTURES * paper.batch * paper.steps
        hours = flops / SUSTAINED / 3600
        rows.append(
            {
                "system": name,
                "trunk_parameters": sum(p.numel() for p in learner.trunk.parameters()),
                "batch": paper.batch,
                "steps": paper.steps,
                "flops_a_picture": f"{counter.flops / PICTURES:.3g}",
                "flops": f"{flops:.3g}",
                "petaflop_s_days": f"{flops / PETAFLOP_S_DAY:.3g}",
                "hours": f"{hours:,.0f}",
                "cost": f"{hours * PRICE:,.0f}",
            }
        )
        print(rows[-1], flush=True)
    with Path("results/paper-scales.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
