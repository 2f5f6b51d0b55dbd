"""What the publications' scales would cost: one step at full size on one or two examples, counted; writes
results/paper-scales.csv. The largest, whose weights and moments do not fit into 16 GB, are counted by their formula.

Hours and money are those of a machine that keeps up 100 TFLOP/s and costs 2.50 an hour.

    python benchmarks/paper_scales.py
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from caudex.compute import PETAFLOP_S_DAY, counting
from caudex.data import Batch, HiddenBatch, TokenBatch
from caudex.system import System, scaled
from caudex.trunks import BERT, GPT2, Sequences, Transformer

PICTURES = ("simclr", "moco", "rotation", "jigsaw", "inpainting", "colorization")
TEXTS = {
    "gpt 117M": ("gpt", 12, 768, 12),
    "gpt 345M": ("gpt", 24, 1024, 16),
    "gpt 762M": ("gpt", 36, 1280, 20),
    "gpt 1542M": ("gpt", 48, 1600, 25),
    "bert base": ("bert", 12, 768, 12),
    "bert large": ("bert", 24, 1024, 16),
}
SUSTAINED, PRICE, STEPPED = 100e12, 2.5, 500e6


def pictures() -> Iterator[tuple[str, System, int, float]]:
    """(name, system, parameters of the trunk, operations an example)."""
    for name in PICTURES:
        paper = scaled(name, "paper")
        small = replace(paper, batch=2, **({"queue": 4} if name == "moco" else {}))
        learner = small.learner({"shape": [3, paper.size, paper.size]})
        seen = torch.rand(2, 3, paper.size, paper.size)
        batch = Batch(seen, torch.zeros(2), torch.arange(2), other=seen)
        yield name, paper, *stepped(learner, batch, 2)


def texts() -> Iterator[tuple[str, System, int, float]]:
    for name, (kind, depth, width, heads) in TEXTS.items():
        paper = replace(scaled(kind, "paper"), depth=depth, width=width, heads=heads)
        sizes = {
            "vocabulary": paper.vocabulary,
            "context": paper.context,
            "depth": depth,
            "width": width,
            "heads": heads,
        }
        made = (GPT2 if kind == "gpt" else BERT) | sizes
        with torch.device("meta"):
            trunk = Transformer(**made)
        count = sum(p.numel() for p in trunk.parameters())
        if count > STEPPED:
            told = 2 * paper.context * width * paper.vocabulary  # by the head
            yield name, paper, count, 3 * (trunk.flops((paper.context,)) + told)
            continue
        learner = paper.learner({"trunk": made, "unigram": None})
        tokens = torch.randint(0, paper.vocabulary, (1, paper.context))
        if kind == "gpt":
            batch = TokenBatch(tokens, tokens, torch.zeros(1))
        else:
            hidden = torch.where(torch.rand(tokens.shape) < 0.15, tokens, -1)
            batch = HiddenBatch(Sequences(tokens), hidden, torch.ones(1, dtype=torch.bool), torch.zeros(1))
        yield name, paper, *stepped(learner, batch, 1)


def stepped(learner, batch, count: int) -> tuple[int, float]:
    """Parameters of the trunk, and operations an example of one whole step."""
    with counting(learner) as counter:
        learner.step(dict.fromkeys(learner.signals, batch))
    return sum(p.numel() for p in learner.trunk.parameters()), counter.flops / count


def main() -> None:
    rows = []
    for cases in (pictures, texts):
        for name, paper, parameters, flops_an_example in cases():
            flops = flops_an_example * paper.batch * paper.steps
            hours = flops / SUSTAINED / 3600
            rows.append(
                {
                    "system": name,
                    "trunk_parameters": parameters,
                    "batch": paper.batch,
                    "steps": paper.steps,
                    "flops_an_example": f"{flops_an_example:.3g}",
                    "flops": f"{flops:.3g}",
                    "petaflop_s_days": f"{flops / PETAFLOP_S_DAY:.3g}",
                    "hours": f"{hours:,.0f}",
                    "cost": f"{hours * PRICE:,.0f}",
                }
            )
            print(rows[-1], flush=True)
    with Path("results/paper-scales.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
