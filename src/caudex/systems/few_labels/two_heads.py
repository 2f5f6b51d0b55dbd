"""two-heads: labels and further signals teach one trunk at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System
from caudex.data import Split
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import accuracy_gain, evaluate_classifier
from caudex.models.classifier import Classifier
from caudex.systems.few_labels import shared as few_labels
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.shared import record_spec


@dataclass
class TwoHeads(FewLabels, System):
    """Labels and a free signal on one trunk at once (after Zhai et al. 2019); any signals by --also.

    Trains the trunk with all its heads, then with labels alone for the same compute, so that the gain is seen.
    laptop: a minute and a half on one thread; digits, 10 labels a class, 5 draws: 96.8 +- 1.1% (labels alone
    96.4 +- 1.6%): not shown; digits have no clear way up.
    """

    also: tuple[str, ...] = ("rotation:0.5",)
    """signals beside the labels: NAME or NAME:WEIGHT, or labels:COLUMN"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 8},
        "paper": {
            "data": "imagenet/",
            "size": 224,
            "steps": 500_000,
            "batch": 256,
            "width": 64,
            "depth": 8,
            "stride": 2,
            "also": ("rotation:1",),
        },
    }
    statement: ClassVar = "a free signal beside the labels makes more of few labels than the labels alone"

    def train(self, run: Run) -> Classifier:
        split = few_labels.split(self)
        record_spec(run, split)
        before = run.compute.flops
        net = self.network(run.stage("two-heads"), split, **self.budget(1 / 2))
        spent, alone = run.compute.flops - before, replace(self, also=())
        results = {"two-heads": evaluate_classifier(run, net, split, "two-heads")}
        equal = alone.network(run.stage("labels-alone"), split, flops=spent)
        results["labels alone, same compute"] = evaluate_classifier(
            run.stage("labels-alone"), equal, split, "labels-alone"
        )
        run.write_json("results", results | {"gain": accuracy_gain(net, equal, split.test)})
        return net

    def network(self, run: Run, split: Split, **budget) -> Classifier:
        return few_labels.from_labels(run, self, split, budget)

    def model(self, spec: ImageSpec) -> Classifier:
        return Classifier(few_labels.learner(self, spec), spec)

    def claim(self, run: Run) -> Claim:
        few_labels.testable(few_labels.split(self))
        self.train(run)
        found = run.read_json("results")
        joint, alone = found["two-heads"], found["labels alone, same compute"]
        further = {"corrupted": joint["corrupted"], "corrupted, labels alone": alone["corrupted"]}
        return Claim(self.statement, joint["accuracy"], {"labels alone": alone["accuracy"]}, further)

    def check(self) -> None:
        super().check()
        few_labels.check(self)
