"""supervised: the labelled pictures alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex import few_labels
from caudex.claim import Claim
from caudex.classifier import Classifier
from caudex.data import Batches, Split
from caudex.examination import examine
from caudex.few_labels import FewLabels, facts_of
from caudex.peers import svm
from caudex.run import Run
from caudex.system import System


@dataclass
class Supervised(FewLabels, System):
    """The labelled pictures alone, well noised: the baseline that everything is held against."""

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
    statement: ClassVar = "a well noised network makes more of few labelled pictures than a support vector machine"

    def train(self, run: Run) -> Classifier:
        split = few_labels.split(self)
        few_labels.noted(run, split)
        net = self.classifier(run, split)
        run.keep("results", {"supervised": examine(run, net, split, "supervised")})
        return net

    def classifier(self, run: Run, split: Split) -> Classifier:
        facts = facts_of(split)
        with run.seeded("weights"):
            made = few_labels.learner(self, facts)
        source = Batches(split.labelled, self.batch, run.seed, few_labels.noise(self, facts))
        return few_labels.teach(run.stage("supervised"), self, split, made, source, self.budget(1.0))

    def model(self, facts: dict) -> Classifier:
        return Classifier(few_labels.learner(self, facts), facts)

    def claim(self, run: Run) -> Claim:
        split = few_labels.split(self)
        few_labels.testable(split)
        net = self.train(run)
        return Claim(self.statement, net.accuracy(split.test), {"support vector machine": svm(split)})

    def check(self) -> None:
        super().check()
        few_labels.check(self)
