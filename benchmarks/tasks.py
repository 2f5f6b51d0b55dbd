"""One trunk that has read before, with a head for each of seven tasks, against specialists; writes results/text-tasks.csv.

    caudex import PUBLIC-BERT --run runs/minilm
    python benchmarks/tasks.py runs/minilm --seeds 3 --workers 1

100 labels of each class; 1,000 texts of each class at most to test on. `together` is one trunk that learns all tasks at
once, a batch of each a step; `frozen` the trunk as it was, with logistic regression; the others are a network for each.
"""

import argparse
import csv
import tempfile
from functools import partial
from pathlib import Path

import torch
from torch.optim import AdamW

from caudex import signals
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.pool import run_parallel
from caudex.core.run import Run
from caudex.core.system import write_settings
from caudex.core.weights import load_weights
from caudex.data import TextBatches, encode_texts
from caudex.evaluation.intervals import t_interval
from caudex.models.text_classifier import TextClassifier
from caudex.systems.text.text_labels import TextLabels
from caudex.trunks import Transformer

TASKS = ("films", "products", "editorials", "tweets", "topics", "spam", "brown")
STEPS = 200


def make_system(task: str, start: str, seed: int) -> TextLabels:
    return TextLabels(data=task, start=start, labels_per_class=100, steps=STEPS, seed=seed)


def train_specialists(task: str, start: str, seed: int) -> dict[str, float]:
    """A network for this task, fine-tuned and from scratch, and what needs none."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        system, run = make_system(task, start, seed), Run(folder, seed)
        run.quiet = True
        write_settings(system, run)
        system.train(run)
        results = run.read_json("results")
    return {name: row["accuracy"] for name, row in results.items() if isinstance(row, dict)}


def train_together(start: str, seed: int) -> dict[str, float]:
    """Accuracy at each task of one trunk with all heads."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, seed)
        run.quiet = True
        systems = {task: make_system(task, start, seed) for task in TASKS}
        model = systems["films"].load_start(run)
        texts = {task: system.load_split(model) for task, system in systems.items()}
        heads = {task: signals.Labels(len(spec.classes)) for task, (_, _, spec) in texts.items()}
        trunk, settings = Transformer(**texts["films"][2].trunk), systems["films"]
        with run.seeded("weights"):
            optimizer = partial(AdamW, lr=0.04 / model.trunk.width, weight_decay=settings.decay, fused=True)
            learner = Learner(trunk, heads, optimizer, partial(cosine_schedule, warmup=0.1))
        load_weights(learner.trunk, model.trunk.state_dict())
        sources = {
            task: TextBatches(
                encode_texts(model.tokenizer, train.texts, None, trunk.context), train.labels, settings.batch, seed
            )
            for task, (train, _, _) in texts.items()
        }
        fit(learner, sources, steps=STEPS, run=run)
        return {task: TextClassifier(learner, spec, task).accuracy(test) for task, (_, test, spec) in texts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--csv", type=Path, default=Path("results/text-tasks.csv"))
    flags = parser.parse_args()
    seeds = range(flags.seeds)
    together = run_parallel(train_together, [(flags.start, seed) for seed in seeds], flags.workers)
    specialists = run_parallel(
        train_specialists, [(task, flags.start, seed) for task in TASKS for seed in seeds], flags.workers
    )
    rows = []
    for i, task in enumerate(TASKS):
        task_specialists = specialists[i * len(seeds) : (i + 1) * len(seeds)]
        results = {"together": [accuracies[task] for accuracies in together]} | {
            name: [accuracies[name] for accuracies in task_specialists] for name in task_specialists[0]
        }
        for name, values in results.items():
            mean, low, high = t_interval(values)
            rows.append(
                {"task": task, "what": name, "mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}
            )
            print(*rows[-1].values(), flush=True)
    with flags.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
