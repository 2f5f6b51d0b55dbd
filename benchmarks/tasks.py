"""One trunk that has read before against a specialist for each task and against words counted; writes results/text-tasks.csv.

    caudex train bert --seed 100 --run runs/bert-100
    python benchmarks/tasks.py runs/bert-100

The frozen trunk is one and the same for all tasks, with a linear head each; fine-tuned and from scratch are a network of
their own for each. 100 labels of each class, one draw; 1,000 texts of each class at most to test on.
"""

import csv
import sys
import tempfile
from pathlib import Path

import torch

from caudex.run import Run
from caudex.system import start
from caudex.systems.text.text_labels import TextLabels

TASKS = ("films", "products", "editorials", "tweets", "topics", "spam", "brown")


def main(begun: str) -> None:
    torch.set_num_threads(1)
    rows = []
    for task in TASKS:
        system = TextLabels(data=task, start=begun, labels_per_class=100, steps=200)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(folder, system.seed)
            run.quiet = True
            start(system, run)
            system.train(run)
            found = run.kept("results")
            figures = {name: row for name, row in found.items() if isinstance(row, dict)}
            tested = next(iter(figures.values()))["tested"]
            accuracies = {name: round(row["accuracy"], 4) for name, row in figures.items()}
            rows.append({"task": task, "labels": found["labels"], "tested": tested, **accuracies})
            print(rows[-1], flush=True)
    with Path("results/text-tasks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1])
