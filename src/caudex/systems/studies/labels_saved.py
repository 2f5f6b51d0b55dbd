"""labels-saved: how many labels does each signal save on these images?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch

from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.pool import run_parallel
from caudex.core.ranges import check_range
from caudex.core.registry import class_paths, find_class
from caudex.core.run import Run
from caudex.core.seeds import MAX_SEED, derive_seed
from caudex.core.specs import ImageSpec
from caudex.core.system import (
    System,
    check_extra_signals,
    load,
    system_at_scale,
)
from caudex.data import Split, with_half_of_classes
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import MAJORITY, majority_share
from caudex.evaluation.labels_saved import aggregate_draws, format_row
from caudex.evaluation.plots.labels_saved import plot_labels_saved
from caudex.evaluation.plots.linear_probes import plot_linear_probes
from caudex.models.encoder import Encoder
from caudex.systems.few_labels.shared import FewLabels, require_test_images
from caudex.systems.image_trunks import is_pretrained
from caudex.systems.pretraining.shared import Pretraining
from caudex.systems.shared import image_spec
from caudex.systems.studies.cells import Cell, measure_cell, pretrain
from caudex.systems.studies.methods import (
    FROM_SCRATCH,
    LOGISTIC_REGRESSION,
    SCRATCH,
    Method,
    flops_per_image,
    methods_from_scratch,
    methods_on_features,
    network_name,
    try_forward,
)


@dataclass
class LabelsSaved(FewLabels):
    """How many labels does each signal save on your images? `caudex labels-saved --data photos/`.

    For each number of labels: supervised alone, noisy-student, each signal learned first and then fine-tuned, the last
    of them followed by noisy-student, and signals beside the labels, all with the same compute. Where the trunk is pretrained, as
    for your own colour images, also: logistic regression, label spreading, supervised and noisy-student on its features, and
    its last blocks fine-tuned. Each draw has a test and labels of its own, and learns
    each signal once; intervals are over the draws.
    """

    steps: int = 1500
    """of supervised training; every other method with the same network gets the operations that these take"""
    tuned_blocks: int = 2
    """the last blocks of a pretrained trunk that learn in `fine-tuned`; 0 leaves that out"""
    tuned_steps: int = 100
    """the same as --steps, of `fine-tuned`"""
    label_counts: tuple[int, ...] = (1, 2, 5, 10, 25, 100)
    """labels of each class to try, as far as there are so many; all labels come last"""
    draws: int = 5
    """draws of the test, where the images have none of their own, and of the labels"""
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
            "trunk": "small", "steps": 20, "width": 8, "label_counts": (2,), "draws": 2, "pretraining": ("rotation", "simclr"),
            "auxiliary": ("rotation:0.5",), "tuned_steps": 2,
        }
    }  # fmt: skip
    results_type: ClassVar = result_kinds.LabelsSavedResults
    statement: ClassVar = "a signal learned first makes more of few labels than the labels alone"

    def train(self, run: Run) -> Encoder:
        if run.hardware.devices * run.hardware.nodes > 1:
            raise CaudexError("labels-saved trains in processes of one device each; use --processes, not --devices.")
        return super().train(run)

    @property
    def has_features(self) -> bool:
        """Whether methods on a pretrained trunk are compared, too."""
        return is_pretrained(self.trunk)

    @property
    def reference(self) -> str:
        """The method that the others are compared with."""
        return LOGISTIC_REGRESSION if self.has_features else "supervised"

    @property
    def from_scratch(self) -> LabelsSaved:
        """The same with a network that begins at random."""
        return replace(self, trunk="small") if self.has_features else self

    @property
    def legend(self) -> str:
        return (
            f"An arrow: better or worse than {self.reference}, corrected for all comparisons of the table (Holm 1979); no arrow: not "
            f"shown; =5: {self.reference} needs 5 labels of each class for that."
        )

    def load_split(self) -> Split:
        """With all labels, as pixels."""
        split = FewLabels.load_split(replace(self.from_scratch, labels_per_class=0, off_topic=None))
        require_test_images(split)
        return split if self.off_topic is None else with_half_of_classes(split)

    def train_and_test(self, run: Run, split: Split) -> tuple[Encoder, dict]:
        spec, methods = image_spec(split), self.methods()
        for method in methods.values():
            if not is_pretrained(method.system.trunk):
                try_forward(method.system.learner(spec), split)
        flops = self.supervised_flops(methods, split)
        for name in self.pretraining:
            try_forward(self.pretraining_system(name, flops[SCRATCH]).learner(spec), split)
        self.print_data(run, split)
        counts = ", ".join(f"{count / 1e12:,.3g} TFLOP {network}" for network, count in flops.items())
        print_once(
            run,
            f"each method has {counts}, for each number and draw of labels; tested on {len(split.test):,} images",
        )
        folder = run.path.resolve() / "stages"  # another machine's working folder may be another
        for parent in ("stages", "stages/cells"):
            run.folder.check_links(parent)
        names = [(name, draw) for name in self.pretraining for draw in range(self.draws)]
        jobs = [
            (
                self.pretraining_system(name, flops[SCRATCH], draw),
                folder / f"{name}-{draw}",
                self.draw_seed(draw),
                run.hardware,
            )
            for name, draw in names
        ]
        pretrained = dict(zip(names, run_parallel(pretrain, jobs, self.processes, self.cluster)))
        cells = list(self.cells(split, flops, folder))
        jobs = [(cell, folder / "cells" / cell.name, run.hardware) for cell in cells]
        cell_figures = run_parallel(measure_cell, jobs, self.processes, self.cluster)
        for figures in (*pretrained.values(), *cell_figures):
            run.add_cost(figures["flops"], figures["seconds"])
        rows = [
            {"method": cell.method_name, "labels": cell.labels, "draw": cell.draw, "accuracy": figures["accuracy"]}
            for cell, figures in zip(cells, cell_figures)
        ]
        run.table("cells", rows)
        all_labels = len(split.labelled) / len(split.labelled.classes)
        probes = {name: pretrained[name, 0]["probes"] for name in self.pretraining}
        results = {"table": aggregate_draws(rows, all_labels, self.reference), "probes": probes}
        results["majority"] = majority_share(split.test.labels)
        plot_labels_saved(run, results["table"], self.reference)
        name = f"{FROM_SCRATCH * self.has_features}supervised"
        plot_linear_probes(run, probes, [row["accuracy"] for row in results["table"] if row["method"] == name][-1])
        return load(folder / f"{self.pretraining[-1]}-0"), results

    def pretraining_system(self, name: str, flops: float, draw: int = 0) -> System:
        """The system of that name on these images and this network, with its share of the compute."""
        names = [
            "data",
            "labels",
            "seed",
            "size",
            "pad",
            "max_pixels",
            "mirror",
            "trunk",
            "width",
            "depth",
            "stride",
            "off_topic",
        ]
        settings = {setting: getattr(self.from_scratch, setting) for setting in names} | {"seed": self.draw_seed(draw)}
        return replace(system_at_scale(name), **settings, flops=flops * self.pretraining_share)

    def draw_seed(self, draw: int) -> int:
        """Of its test, labels and signals; other seeds of a claim have others."""
        return derive_seed(self.seed, draw) % (MAX_SEED + 1)

    def methods(self) -> dict[str, Method]:
        """By name; of a pretrained trunk first."""
        methods = methods_from_scratch(self.from_scratch, self.pretraining, self.auxiliary)
        if not self.has_features:
            return methods
        on_features = methods_on_features(self, self.tuned_blocks)
        return on_features | {f"{FROM_SCRATCH}{name}": method for name, method in methods.items()}

    def supervised_flops(self, methods: Mapping[str, Method], split: Split) -> dict[str, float]:
        """What supervised training takes with each network that the methods have, by `network_name`. Encodes the images."""
        flops = {}
        for method in methods.values():
            system, name = method.system, network_name(method.system)
            if name not in flops:
                steps = self.tuned_steps if system.finetune else self.steps
                part = system.load_split() if is_pretrained(system.trunk) else split
                flops[name] = 3.0 * steps * self.batch * flops_per_image(system, part)
        return flops

    def cells(self, split: Split, flops: Mapping[str, float], folder: Path) -> Iterator[Cell]:
        """Every method with every number of labels, 0 for all, and every draw of them."""
        all_labels = int(torch.bincount(split.labelled.labels).min())
        counts = [count for count in sorted(self.label_counts) if count < all_labels]
        for labels in [*counts, *[0] * (self.off_topic is None)]:
            for draw in range(self.draws):
                for name, method in self.methods().items():
                    if method.needs_unlabelled and not labels and not len(split.unlabelled):
                        continue  # there is nothing to teach
                    system, remaining = method.system, flops[network_name(method.system)]
                    if system.start:
                        remaining *= 1 - self.pretraining_share
                        system = replace(system, start=str(folder / f"{system.start}-{draw}"))
                    system = replace(system, seed=self.draw_seed(draw), labels_per_class=labels, flops=remaining)
                    yield Cell(name, labels, draw, method._replace(system=system), derive_seed(self.seed, draw))

    def model(self, spec: ImageSpec) -> Encoder:
        return self.pretraining_system(self.pretraining[-1], 1.0).model(spec)

    def result_rows(self, results: dict) -> list[tuple]:
        """Accuracy; an arrow where a gain or a loss against supervised is shown; how many labels that would need."""
        table = results["table"]
        compared = [row for row in table if row["method"] != self.reference]
        counts = list(dict.fromkeys(row["labels"] for row in table))
        rows = [("labels of each class", *(f"{count:g}" for count in counts))]
        for method in dict.fromkeys(row["method"] for row in table):
            by_count = {row["labels"]: row for row in table if row["method"] == method}
            rows.append((method, *(format_row(by_count.get(count), self.reference) for count in counts)))
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
        results, method = run.read_json("results"), f"{self.pretraining[-1]} first"
        table = results["table"]
        few = min((row["labels"] for row in table), key=lambda count: abs(count - 10))
        accuracies = {row["method"]: row["accuracy"] for row in table if row["labels"] == few}
        statement = self.statement.replace("a signal learned first", method)
        if self.has_features:
            method = "noisy-student"
            statement = "noisy-student on frozen features makes more of few labels than logistic regression on them"
        baselines, controls = {self.reference: accuracies[self.reference]}, {MAJORITY: results["majority"]}
        return Claim(statement, accuracies[method], baselines, controls=controls)

    def check(self) -> None:
        super().check()
        check_range(self, draws=(2, 1000), pretraining_share=(0.05, 0.95), processes=(1, 1000))
        check_range(self, tuned_blocks=(0, 100), tuned_steps=(1, 1 << 30))
        for name in ("minutes", "flops", "also", "labels_per_class", "label_seed", "start", "finetune"):
            if getattr(self, name) not in ((0,) if name == "finetune" else (None, ())):
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


def flag_name(setting: str) -> str:
    return setting.replace("_", "-")
