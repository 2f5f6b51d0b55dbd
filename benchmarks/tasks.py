"""One trunk that has read before, with a head for each of seven tasks, against specialists; writes results/text-tasks.csv.

    caudex import minilm --run runs/minilm
    caudex import smollm2 --run runs/smollm2
    python benchmarks/tasks.py runs/minilm runs/smollm2 --seeds 3
    python benchmarks/tasks.py runs/minilm --tuned --seeds 3        # hours on two cores

`--labels` of each class; of each test `--max-test` texts, of each text `--context` tokens. Frozen: logistic regression for each task
on features that all tasks share (one pass, one prompt), or behind a prompt of its own; of a trunk that reads both ways, which has no prompt, the
two are one. `--tuned`: one network that learns all tasks at once, a batch of each a step, against a network for each.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterator
from functools import partial
from math import isfinite
from pathlib import Path

import torch
from torch.optim import AdamW

from caudex import signals
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.pool import run_parallel
from caudex.core.run import Run
from caudex.core.system import load
from caudex.core.weights import load_weights
from caudex.data import TextBatches, encode_texts, load_labelled_texts
from caudex.data.stratified import seeded_permutation
from caudex.data.text.corpora import CORPORA
from caudex.data.text.text_splits import TextSplit, split_texts
from caudex.evaluation.baselines.sklearn import predict_by_tfidf
from caudex.evaluation.intervals import t_interval
from caudex.models.language_model import LanguageModel, map_batches
from caudex.models.text_features import TextEncoder
from caudex.systems.text.frozen_texts import FrozenHead, NextWord
from caudex.trunks import Transformer

TASKS = ("films", "products", "editorials", "tweets", "topics", "spam", "brown")
SHARED_PROMPT = "Text: {text}\nTopic, genre and sentiment:"
Accuracies = dict[tuple[str, str, str], float]  # of (run, task, method)


def load_task(task: str, seed: int, labels: int, max_test: int) -> TextSplit:
    split = split_texts(load_labelled_texts(task), labels, seed)
    test = split.test.select(seeded_permutation(len(split.test), seed, "tasks")[:max_test])
    return split._replace(test=test, unlabelled=split.unlabelled.select(torch.tensor([], dtype=torch.int64)))


def measure_frozen(runs: list[str], seed: int, labels: int, max_test: int, context: int) -> Accuracies:
    """Accuracy of logistic regression on frozen features, and of what needs no network."""
    torch.set_num_threads(1)
    accuracies, tasks = {}, {task: load_task(task, seed, labels, max_test) for task in TASKS}
    for task, split in tasks.items():
        accuracies["", task, "words counted"] = share_right(predict_by_tfidf(split.train, split.test), split)
    for run in runs:
        model = load(run)
        prompts = (
            {"frozen, one prompt": SHARED_PROMPT, "frozen, own prompt": None}
            if model.trunk.causal
            else {"frozen": None}
        )
        for method, prompt in prompts.items():
            for task, split in tasks.items():
                task_prompt = prompt or CORPORA[task].prompt if model.trunk.causal else None
                encoder = TextEncoder(model, task_prompt, context)
                next_word = NextWord(model, encoder, split.train.classes) if model.trunk.causal else None
                answers = next_word.answers if next_word and not next_word.is_ambiguous else None
                head = FrozenHead(encoder, split, seed, answers)
                accuracies[run, task, method] = share_right(head.predict(split.test), split)
                print(run, seed, task, method, round(accuracies[run, task, method], 4), flush=True)
    return accuracies


def measure_tuned(run: str, seed: int, labels: int, max_test: int, context: int, steps: int, batch: int) -> Accuracies:
    """Accuracy of one network with all heads, and of a network for each task."""
    torch.set_num_threads(1)
    model, tasks = load(run), {task: load_task(task, seed, labels, max_test) for task in TASKS}
    sizes = (seed, context, steps, batch)
    together = tune(model, tasks, *sizes)
    alone = {task: tune(model, {task: split}, *sizes)[task] for task, split in tasks.items()}
    methods = {"tuned, one network": together, "tuned, a network for each": alone}
    return {(run, task, name): accuracies[task] for name, accuracies in methods.items() for task in TASKS}


def tune(
    model: LanguageModel, tasks: dict[str, TextSplit], seed: int, context: int, steps: int, batch: int
) -> dict[str, float]:
    """Accuracy at each task of one trunk with a head for each."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, seed)
        run.quiet = True
        trunk = Transformer(**model.trunk_config | {"dropout": 0.1, "mean_pooling": True})
        heads = {task: signals.Labels(len(split.train.classes)) for task, split in tasks.items()}
        with run.seeded("weights"):
            optimizer = partial(AdamW, lr=0.04 / model.trunk.width, weight_decay=0.01, fused=True)
            learner = Learner(trunk, heads, optimizer, partial(cosine_schedule, warmup=0.1))
        load_weights(learner.trunk, model.trunk.state_dict())
        sources = {
            task: TextBatches(
                encode_texts(model.tokenizer, split.train.texts, None, context), split.train.labels, batch, seed
            )
            for task, split in tasks.items()
        }
        fit(learner, sources, steps=steps, run=run)
    learner.eval()
    return {task: share_right(predict(learner, model, task, split, context), split) for task, split in tasks.items()}


@torch.inference_mode()
def predict(learner: Learner, model: LanguageModel, task: str, split: TextSplit, context: int) -> torch.Tensor:
    texts, head = encode_texts(model.tokenizer, split.test.texts, None, context), learner.signals[task]
    logits = map_batches(partial(head.logits, learner.trunk), texts, len(split.test.classes), 64, learner.device)
    return logits.argmax(1)


def share_right(predictions: torch.Tensor, split: TextSplit) -> float:
    return (predictions == split.test.labels).double().mean().item()


def rows_of(results: list[Accuracies]) -> Iterator[dict]:
    """Means over the seeds, and over the tasks."""
    for run, task, method in results[0]:
        yield row_of(run, task, method, [accuracies[run, task, method] for accuracies in results])
    for run, method in dict.fromkeys((run, method) for run, _, method in results[0]):
        means = [sum(accuracies[run, task, method] for task in TASKS) / len(TASKS) for accuracies in results]
        yield row_of(run, "mean of seven", method, means)


def row_of(run: str, task: str, method: str, values: list[float]) -> dict:
    mean, low, high = (round(value, 4) if isfinite(value) else "" for value in t_interval(values))
    return {
        "trunk": Path(run).name,
        "task": task,
        "what": method,
        "mean": mean,
        "low": low,
        "high": high,
        "seeds": len(values),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--max-test", type=int, default=1000)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--csv", type=Path, default=Path("results/text-tasks.csv"))
    flags = parser.parse_args()
    sizes, seeds = (flags.labels, flags.max_test, flags.context), range(flags.seeds)
    results = run_parallel(measure_frozen, [(flags.runs, seed, *sizes) for seed in seeds], flags.workers)
    for run in flags.runs if flags.tuned else ():
        for accuracies, tuned in zip(
            results,
            run_parallel(
                measure_tuned, [(run, seed, *sizes, flags.steps, flags.batch) for seed in seeds], flags.workers
            ),
        ):
            accuracies |= tuned
    rows = list(rows_of(results))
    for row in rows:
        print(*row.values(), flush=True)
    with flags.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
