"""labels-saved: how many labels does each signal save on these images?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, NamedTuple, TypedDict

import torch

from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.pool import run_parallel
from caudex.core.ranges import check_range
from caudex.core.registry import class_paths, find_class
from caudex.core.run import Run
from caudex.core.run_records import ComputeReport
from caudex.core.seeds import derive_seed
from caudex.core.specs import ImageSpec
from caudex.core.system import (
    System,
    check_extra_signals,
    is_complete,
    load,
    save_model,
    system_at_scale,
    write_settings,
)
from caudex.core.typed_json import Amount, Share
from caudex.data import Batch, Split
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import MAJORITY, majority_share
from caudex.evaluation.labels_saved import aggregate_draws, format_row
from caudex.evaluation.plots.labels_saved import plot_labels_saved
from caudex.evaluation.plots.linear_probes import plot_linear_probes
from caudex.models.encoder import Encoder
from caudex.systems.few_labels.shared import FewLabels, require_test_images
from caudex.systems.pretraining.shared import Pretraining
from caudex.systems.shared import image_spec


@dataclass
class LabelsSaved(FewLabels):
    """How many labels does each signal save on your images? `caudex labels-saved --data photos/`.

    For each number of labels: supervised alone, noisy-student, each signal learned first and then fine-tuned, the last
    of them followed by noisy-student, and signals beside the labels, all with the same compute. A signal is learned
    once, with one seed, and fine-tuned for each number of labels on several draws of them; intervals are over these draws.
    """

    trunk: str = "small"
    """small: a residual net of three stages; resnet50: the publications' (He et al. 2016), for large images"""
    steps: int = 1500
    """of supervised training; every other method gets the operations that these take"""
    label_counts: tuple[int, ...] = (1, 2, 5, 10, 25, 100)
    """labels of each class to try, as far as there are so many; all labels come last"""
    draws: int = 5
    """draws of the labels"""
    pretraining: tuple[str, ...] = ("inpainting", "jigsaw", "rotation", "moco", "simclr")
    """systems that learn without labels first; also colorization and denoising"""
    auxiliary: tuple[str, ...] = ("rotation:0.5", "contrast:0.5", "rotation:0.5+contrast:0.5")
    """signals beside the labels; + joins several"""
    pretraining_share: float = 0.8
    """of the compute, what learning without labels takes before fine-tuning"""
    processes: int = 2
    """trainings at the same time, each in a process of one thread"""
    cluster: str = ""
    """address of a Ray cluster (auto, or HOST:PORT) whose machines share the trainings out, the run folder in reach of all"""

    scales: ClassVar = {
        "tiny": {
            "steps": 20, "width": 8, "label_counts": (2,), "draws": 2, "pretraining": ("rotation", "simclr"), "auxiliary": ("rotation:0.5",)
        }
    }  # fmt: skip
    results_type: ClassVar = result_kinds.LabelsSavedResults
    takes_pretrained: ClassVar = False
    legend: ClassVar = (
        "An arrow: better or worse than supervised, corrected for all comparisons of the table (Holm 1979); no arrow: not shown; "
        "=5: supervised needs 5 labels of each class for that."
    )
    statement: ClassVar = "a signal learned first makes more of few labels than the labels alone"

    def train(self, run: Run) -> Encoder:
        if run.hardware.devices * run.hardware.nodes > 1:
            raise CaudexError("labels-saved trains in processes of one device each; use --processes, not --devices.")
        return super().train(run)

    def load_split(self) -> Split:
        """With all labels."""
        split = FewLabels.load_split(replace(self, labels_per_class=0))
        require_test_images(split)
        return split

    def train_and_test(self, run: Run, split: Split) -> tuple[Encoder, dict]:
        spec = image_spec(split)
        flops = 3.0 * self.steps * self.batch * self.build_trunk(spec).flops(spec.shape)
        for system in self.methods().values():
            try_forward(system.learner(spec), split)
        for name in self.pretraining:
            try_forward(self.pretraining_system(name, flops).learner(spec), split)
        self.print_data(run, split)
        print_once(
            run,
            f"each method has {flops / 1e12:,.3g} TFLOP for each number and draw of labels; "
            f"tested on {len(split.test):,} images",
        )
        folder = run.path.resolve() / "stages"  # another machine's working folder may be another
        for parent in ("stages", "stages/cells"):
            run.folder.check_links(parent)
        jobs = [
            (self.pretraining_system(name, flops), folder / name, self.seed, run.hardware) for name in self.pretraining
        ]
        pretrained = dict(zip(self.pretraining, run_parallel(pretrain, jobs, self.processes, self.cluster)))
        cells = list(self.cells(split, flops, folder))
        jobs = [(cell.system, folder / "cells" / cell.name, cell.seed, run.hardware) for cell in cells]
        cell_figures = run_parallel(measure_cell, jobs, self.processes, self.cluster)
        for figures in (*pretrained.values(), *cell_figures):
            run.add_cost(figures["flops"], figures["seconds"])
        rows = [
            {"method": cell.method, "labels": cell.labels, "draw": cell.draw, "accuracy": figures["accuracy"]}
            for cell, figures in zip(cells, cell_figures)
        ]
        run.table("cells", rows)
        all_labels = len(split.labelled) / len(split.labelled.classes)
        probes = {name: figures["probes"] for name, figures in pretrained.items()}
        results = {"table": aggregate_draws(rows, all_labels), "probes": probes}
        results["majority"] = majority_share(split.test.labels)
        plot_labels_saved(run, results["table"])
        supervised = [row["accuracy"] for row in results["table"] if row["method"] == "supervised"][-1]
        plot_linear_probes(run, probes, supervised)
        return load(folder / self.pretraining[-1]), results

    def pretraining_system(self, name: str, flops: float) -> System:
        """The system of that name on these images and this network, with its share of the compute."""
        names = ("data", "labels", "seed", "size", "pad", "max_pixels", "mirror", "trunk", "width", "depth", "stride")
        settings = {setting: getattr(self, setting) for setting in names}
        return replace(system_at_scale(name), **settings, flops=flops * self.pretraining_share)

    def methods(self) -> dict[str, FewLabels]:
        names = {field.name for field in fields(FewLabels)} - {field.name for field in fields(System)} | {"seed"}
        settings = {name: getattr(self, name) for name in names} | {"calibrate": False}
        supervised = find_class("systems", "supervised")(**settings)
        student = find_class("systems", "noisy-student")(**settings, baseline=False)
        return {
            "supervised": supervised,
            "noisy-student": student,
            **{f"{name} first": replace(supervised, start=name) for name in self.pretraining},
            f"{self.pretraining[-1]} first, then noisy-student": replace(student, start=self.pretraining[-1]),
            **{f"with {signals}": replace(supervised, also=tuple(signals.split("+"))) for signals in self.auxiliary},
        }

    def cells(self, split: Split, flops: float, folder: Path) -> Iterator[Cell]:
        """Every method with every number of labels, 0 for all, and every draw of them."""
        all_labels = int(torch.bincount(split.labelled.labels).min())
        for labels in [*(count for count in sorted(self.label_counts) if count < all_labels), 0]:
            for draw in range(self.draws):
                for method, system in self.methods().items():
                    if method.endswith("noisy-student") and not labels and not len(split.unlabelled):
                        continue  # there is nothing to teach
                    if system.start:
                        remaining = flops * (1 - self.pretraining_share)
                        system = replace(system, flops=remaining, start=str(folder / system.start))
                    else:
                        system = replace(system, flops=flops)
                    system = replace(system, labels_per_class=labels, label_seed=draw)
                    yield Cell(method, labels, draw, system, derive_seed(self.seed, draw))

    def model(self, spec: ImageSpec) -> Encoder:
        return self.pretraining_system(self.pretraining[-1], 1.0).model(spec)

    def result_rows(self, results: dict) -> list[tuple]:
        """Accuracy; an arrow where a gain or a loss against supervised is shown; how many labels that would need."""
        table = results["table"]
        compared = [row for row in table if row["method"] != "supervised"]
        counts = list(dict.fromkeys(row["labels"] for row in table))
        rows = [("labels of each class", *(f"{count:g}" for count in counts))]
        for method in dict.fromkeys(row["method"] for row in table):
            by_count = {row["labels"]: row for row in table if row["method"] == method}
            rows.append((method, *(format_row(by_count.get(count)) for count in counts)))
        rows.append((MAJORITY, *(f"{results['majority']:.1%}" for _ in counts)))
        effects = [max(row["detectable"] or 0.0 for row in compared if row["labels"] == count) for count in counts]
        rows.append((f"detectable, of {len(compared)} comparisons", *(f"{x:.1%}" if x else "-" for x in effects)))
        return rows

    def warn(self, results: dict) -> list[str]:
        if all(row["low"] is not None for row in results["table"]):
            return []
        return [f"{self.draws} draws are too few for an interval, so no gain is shown; try --draws 5."]

    def claim(self, run: Run) -> Claim:
        self.train(run)
        results, last = run.read_json("results"), self.pretraining[-1]
        table = results["table"]
        few = min((row["labels"] for row in table), key=lambda count: abs(count - 10))
        accuracies = {row["method"]: row["accuracy"] for row in table if row["labels"] == few}
        statement = self.statement.replace("a signal learned", last)
        baselines, controls = {"supervised": accuracies["supervised"]}, {MAJORITY: results["majority"]}
        return Claim(statement, accuracies[f"{last} first"], baselines, controls=controls)

    def check(self) -> None:
        super().check()
        check_range(self, draws=(2, 1000), pretraining_share=(0.05, 0.95), processes=(1, 1000))
        for name in ("minutes", "flops", "also", "labels_per_class", "label_seed", "start"):
            if getattr(self, name) not in (None, ()):
                raise CaudexError(f"--{flag_name(name)}: labels-saved sets it itself for each method; leave it out.")
        if not self.pretraining or not self.label_counts or min(self.label_counts) < 1:
            raise CaudexError(
                f"--label-counts {' '.join(map(str, self.label_counts))}: --pretraining and --label-counts need something "
                "each, and at least 1, such as --pretraining simclr --label-counts 1 10."
            )
        for name in ("pretraining", "auxiliary", "label_counts"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                words = " ".join(map(str, values))
                raise CaudexError(f"--{flag_name(name)} {words}: something stands there twice; name each once.")
        for signals in self.auxiliary:
            check_extra_signals(signals.split("+"), self.accepts)
        for name in self.pretraining:
            if not issubclass(find_class("systems", name), Pretraining):
                systems = [
                    system
                    for system in class_paths("systems")
                    if issubclass(find_class("systems", system), Pretraining)
                ]
                raise CaudexError(
                    f"--pretraining {name} does not learn without labels from images; choose {', '.join(systems)}."
                )


class CellResult(TypedDict):
    """cell.json"""

    accuracy: Share
    flops: Amount
    seconds: Amount


class Cell(NamedTuple):
    """One method with one draw of so many labels of each class, 0 for all."""

    method: str
    labels: int
    draw: int
    system: FewLabels
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}, {self.labels or 'all'}, {self.draw}"


def flag_name(setting: str) -> str:
    return setting.replace("_", "-")


@torch.no_grad()
def try_forward(learner: Learner, split: Split) -> None:
    """Two images go through, so that a signal which cannot learn from such is refused before the first training."""
    rows = torch.arange(min(2, len(split.train)))
    images = split.train.fetch(rows).float() / 255
    learner(dict.fromkeys(learner.signals, Batch(images, torch.zeros_like(rows), rows, other_images=images)))


def pretrain(system: System, path: Path, seed: int, hardware: Hardware) -> dict:
    """Learn without labels: the probes of the features, and the cost."""
    run = quiet_run(path, seed, hardware)
    if not is_complete(run):
        system = write_settings(system, run)
        save_model(system.train(run), run)
    compute = run.read_struct("compute", ComputeReport)
    return {"probes": system.read_results(run), "flops": compute.flops, "seconds": compute.seconds}


def measure_cell(system: FewLabels, path: Path, seed: int, hardware: Hardware) -> dict:
    """The accuracy of one cell, and its cost; the weights are not kept."""
    run = quiet_run(path, seed, hardware)
    if result := run.read_checked("cell", CellResult):
        return result
    system = write_settings(system, run)
    split = system.load_split()
    classifier = system.train_classifier(
        run, replace(split, test=split.test.take(slice(0, 0)))
    )  # no curves of the test
    result = {"accuracy": classifier.accuracy(split.test), **run.compute.report()}
    run.write_json("cell", result)
    run.folder.remove("stages")
    return result


def quiet_run(path: Path, seed: int, hardware: Hardware) -> Run:
    torch.set_num_threads(hardware.threads or 1)
    run = Run(path, seed, hardware)
    run.quiet = True
    return run
