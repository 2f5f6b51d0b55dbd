"""labels-saved: how many labels does each signal save on these images?"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.pool import run_parallel
from caudex.core.registry import class_paths, find_class
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.specs import ImageSpec
from caudex.core.system import System, can_join, check_range, finish, is_complete, load, scaled, start
from caudex.data import Batch, Split
from caudex.evaluation.claim import Claim
from caudex.evaluation.labels_saved import aggregate_draws, format_row
from caudex.evaluation.plots.labels_saved import plot_labels_saved
from caudex.evaluation.plots.linear_probes import plot_linear_probes
from caudex.systems.few_labels import shared as few_labels
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.pretraining.shared import Pretraining
from caudex.systems.shared import network, record_spec


@dataclass
class LabelsSaved(FewLabels, System):
    """How many labels does each signal save on your images? `caudex labels-saved --data photos/`.

    For each number of labels: supervised alone, noisy-student, each signal learned first and then fine-tuned, the last
    of them followed by noisy-student, and signals beside the labels, all with the same compute. A signal is learned once, with one seed, and fine-tuned for
    each number of labels on several draws of them; intervals are over these draws.
    """

    steps: int = 1500
    """of supervised training; every other method gets the operations that these take"""
    counts: tuple[int, ...] = (1, 2, 5, 10, 25, 100)
    """labels of each class to try, as far as there are so many; all labels come last"""
    draws: int = 5
    """draws of the labels"""
    first: tuple[str, ...] = ("inpainting", "jigsaw", "rotation", "moco", "simclr")
    """systems that learn without labels first; also colorization and denoising"""
    beside: tuple[str, ...] = ("rotation:0.5", "contrast:0.5", "rotation:0.5+contrast:0.5")
    """signals beside the labels; + joins several"""
    share: float = 0.8
    """of the compute, what learning without labels takes before fine-tuning"""
    processes: int = 2
    """trainings at the same time, each in a process of one thread"""
    cluster: str = ""
    """address of a Ray cluster (auto, or HOST:PORT) whose machines share the trainings out, the run folder in reach of all"""

    scales: ClassVar = {
        "tiny": {
            "steps": 20, "width": 8, "counts": (2,), "draws": 2, "first": ("rotation", "simclr"), "beside": ("rotation:0.5",)
        }
    }  # fmt: skip
    legend: ClassVar = (
        "An arrow: shown to be better or worse than supervised; =5: supervised needs 5 labels of each class for that."
    )
    statement: ClassVar = "a signal learned first makes more of few labels than the labels alone"

    def train(self, run: Run) -> Any:
        if run.hardware.devices * run.hardware.nodes > 1:
            raise CaudexError("labels-saved trains in processes of one device each; use --processes, not --devices.")
        split = few_labels.split(replace(self, labels_per_class=0))
        few_labels.testable(split)
        spec = record_spec(run, split)
        flops = 3.0 * self.steps * self.batch * network(self, spec).flops(spec.shape)
        for system in self.methods().values():
            tried(few_labels.learner(system, spec), split)
        for name in self.first:
            tried(self.pretraining(name, flops).learner(spec), split)
        tested = f"tested on {len(split.test):,} images"
        print_once(run, f"each method has {flops / 1e12:,.3g} TFLOP for each number and draw of labels; {tested}")
        folder = run.path.resolve() / "stages"  # another machine's working folder may be another
        jobs = [(self.pretraining(name, flops), folder / name, self.seed, run.hardware) for name in self.first]
        learned = dict(zip(self.first, run_parallel(pretrained, jobs, self.processes, self.cluster)))
        cells = list(self.cells(split, flops, folder))
        jobs = [(system, folder / "cells" / name, seed, run.hardware) for name, system, seed, _ in cells]
        measured = run_parallel(cell, jobs, self.processes, self.cluster)
        for found in (*learned.values(), *measured):
            run.add_cost(found["flops"], found["seconds"])
        rows = [about | {"accuracy": found["accuracy"]} for (*_, about), found in zip(cells, measured)]
        run.table("cells", rows)
        most = len(split.labelled) / len(split.labelled.classes)
        results = {
            "table": aggregate_draws(rows, most),
            "probes": {name: found["probes"] for name, found in learned.items()},
        }
        run.write_json("results", results)
        plot_labels_saved(run, results["table"])
        supervised = [row["accuracy"] for row in results["table"] if row["method"] == "supervised"][-1]
        plot_linear_probes(run, results["probes"], supervised)
        return load(folder / self.first[-1])

    def pretraining(self, name: str, flops: float) -> System:
        """The system of that name on these images and this network, with its share of the compute."""
        kept = ("data", "labels", "seed", "size", "mirror", "trunk", "width", "depth", "stride")
        return replace(scaled(name), **{key: getattr(self, key) for key in kept}, flops=flops * self.share)

    def methods(self) -> dict[str, System]:
        mine = {field.name: getattr(self, field.name) for field in fields(FewLabels)} | {"seed": self.seed}
        supervised = find_class("systems", "supervised")(**mine)
        student = find_class("systems", "noisy-student")(**mine, baseline=False)
        return {
            "supervised": supervised,
            "noisy-student": student,
            **{f"{name} first": replace(supervised, start=name) for name in self.first},
            f"{self.first[-1]} first, then noisy-student": replace(student, start=self.first[-1]),
            **{f"with {words}": replace(supervised, also=tuple(words.split("+"))) for words in self.beside},
        }

    def cells(self, split: Split, flops: float, folder: Path):
        """(name, system, seed, what it is) of every method, number of labels, 0 for all, and draw of them."""
        most = int(torch.bincount(split.labelled.labels).min())
        for count in [*(count for count in sorted(self.counts) if count < most), 0]:
            for draw in range(self.draws):
                for method, system in self.methods().items():
                    if method.endswith("noisy-student") and not count and not len(split.unlabelled):
                        continue  # there is nothing to teach
                    own = flops * (1 - self.share) if system.start else flops
                    begin = str(folder / system.start) if system.start else None
                    system = replace(system, labels_per_class=count, draw=draw, flops=own, start=begin)
                    about = {"method": method, "labels": count, "draw": draw}
                    yield f"{method}, {count or 'all'}, {draw}", system, derive_seed(self.seed, draw), about

    def model(self, spec: ImageSpec) -> Any:
        return self.pretraining(self.first[-1], 1.0).model(spec)

    def result_rows(self, results: dict) -> list[tuple]:
        """Accuracy; an arrow where a gain or a loss against supervised is shown; how many labels that would need."""
        table = results["table"]
        counts = list(dict.fromkeys(row["labels"] for row in table))
        rows = [("labels of each class", *(f"{count:g}" for count in counts))]
        for method in dict.fromkeys(row["method"] for row in table):
            mine = {row["labels"]: row for row in table if row["method"] == method}
            rows.append((method, *(format_row(mine.get(count)) for count in counts)))
        return rows

    def warn(self, results: dict) -> list[str]:
        if all(row["low"] is not None for row in results["table"]):
            return []
        return [f"{self.draws} draws are too few for an interval, so no gain is shown; try --draws 5."]

    def claim(self, run: Run) -> Claim:
        self.train(run)
        table = run.read_json("results")["table"]
        few = min((row["labels"] for row in table), key=lambda count: abs(count - 10))
        methods = {row["method"]: row["accuracy"] for row in table if row["labels"] == few}
        said = self.statement.replace("a signal learned", self.first[-1])
        return Claim(said, methods[f"{self.first[-1]} first"], {"supervised": methods["supervised"]})

    def check(self) -> None:
        super().check()
        few_labels.check(self)
        check_range(self, draws=(2, 1000), share=(0.05, 0.95), processes=(1, 1000))
        for name in ("minutes", "flops", "also", "labels_per_class", "draw", "start"):
            if getattr(self, name) not in (None, ()):
                flag = name.replace("_", "-")
                raise CaudexError(f"--{flag}: labels-saved sets it itself for each method; leave it out.")
        if not self.first or not self.counts or min(self.counts) < 1:
            told = " ".join(map(str, self.counts))
            raise CaudexError(
                f"--counts {told}: --first and --counts need something each, and at least 1, such as --first simclr --counts 1 10."
            )
        for name in ("first", "beside", "counts"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise CaudexError(
                    f"--{name} {' '.join(map(str, values))}: something stands there twice; name each once."
                )
        for words in self.beside:
            can_join(words.split("+"), self.accepts)
        for name in self.first:
            if not issubclass(find_class("systems", name), Pretraining):
                fit = [
                    known for known in class_paths("systems") if issubclass(find_class("systems", known), Pretraining)
                ]
                raise CaudexError(f"--first {name} does not learn without labels from images; choose {', '.join(fit)}.")


@torch.no_grad()
def tried(learner: Learner, split: Split) -> None:
    """Two images go through: a signal that cannot learn from such is found out before the first training."""
    rows = torch.arange(min(2, len(split.every)))
    images = split.every.fetch(rows).float() / 255
    learner(dict.fromkeys(learner.signals, Batch(images, torch.zeros_like(rows), rows, other=images)))


def pretrained(system: System, path: Path, seed: int, hardware: Hardware) -> dict:
    """Learn without labels: what its features are worth, and what it cost."""
    run = _quiet(path, seed, hardware)
    if not is_complete(run):
        start(system, run)
        finish(system.train(run), run)
    return {"probes": run.read_json("results"), **run.read_json("compute")}


def cell(system: System, path: Path, seed: int, hardware: Hardware) -> dict:
    """One method with one draw of so many labels: its accuracy, and what it cost; the weights are not kept."""
    run = _quiet(path, seed, hardware)
    if found := run.read_json("cell"):
        return found
    start(system, run)
    split = few_labels.split(system)
    net = system.classifier(run, replace(split, test=split.test.take(slice(0, 0))))  # no curves of the test
    found = {"accuracy": net.accuracy(split.test), **run.compute.report()}
    run.write_json("cell", found)
    shutil.rmtree(path / "stages", ignore_errors=True)
    return found


def _quiet(path: Path, seed: int, hardware: Hardware) -> Run:
    torch.set_num_threads(hardware.threads or 1)
    run = Run(path, seed, hardware)
    run.quiet = True
    return run
