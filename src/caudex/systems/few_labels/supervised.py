"""supervised: the labelled images alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System
from caudex.data import Batches, Split
from caudex.evaluation.baselines.sklearn import svm_accuracy
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import evaluate_classifier
from caudex.models.classifier import Classifier
from caudex.systems.few_labels import shared as few_labels
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.shared import record_spec, spec_of


@dataclass
class Supervised(FewLabels, System):
    """The labelled images alone, well noised: the baseline that everything is held against."""

    scales: ClassVar = {
        "tiny": {"steps": 40, "width": 8},
        "paper": {
            "data": "imagenet/",
            "size": 224,
            "steps": 430_000,
            "batch": 2048,
            "width": 64,
            "depth": 8,
            "stride": 2,
        },
    }
    statement: ClassVar = "a well noised network makes more of few labelled images than a support vector machine"

    def train(self, run: Run) -> Classifier:
        split = few_labels.split(self)
        record_spec(run, split)
        net = self.classifier(run, split)
        run.write_json("results", {"supervised": evaluate_classifier(run, net, split, "supervised")})
        return net

    def classifier(self, run: Run, split: Split) -> Classifier:
        spec = spec_of(split)
        with run.seeded("weights"):
            made = few_labels.learner(self, spec)
        source = Batches(split.labelled, self.batch, run.seed, few_labels.noise(self, spec))
        return few_labels.teach(run.stage("supervised"), self, split, made, source, self.budget(1.0))

    def model(self, spec: ImageSpec) -> Classifier:
        return Classifier(few_labels.learner(self, spec), spec)

    def claim(self, run: Run) -> Claim:
        split = few_labels.split(self)
        few_labels.testable(split)
        net = self.train(run)
        return Claim(self.statement, net.accuracy(split.test), {"support vector machine": svm_accuracy(split)})

    def check(self) -> None:
        super().check()
        few_labels.check(self)
