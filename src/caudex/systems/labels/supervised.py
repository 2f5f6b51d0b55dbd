"""supervised: the labelled pictures alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex import few_labels
from caudex.claim import Claim
from caudex.classifier import Classifier
from caudex.data import Batches
from caudex.examination import examine
from caudex.few_labels import facts_of
from caudex.learner import Learner
from caudex.peers import svm
from caudex.run import Run
from caudex.system import System


@dataclass
class Supervised(System):
    """The labelled pictures alone, well noised: the baseline that everything is held against."""

    data: str = "digits"
    """digits, fashion-mnist, a folder (CLASS/, or labelled/CLASS/), an .npz, a .csv or hf:NAME"""
    labels: str | None = None
    """a CSV file path,label for the pictures of the folder"""
    labels_per_class: int | None = None
    """labels to keep of each class; default: 10 of a packaged set, all of your own"""
    size: int = 0
    """side of the pictures in pixels; 0 chooses"""
    batch: int = 80
    """pictures a step"""
    magnitude: float = 0.4
    """strength of RandAugment, 0 to 1, two operations a picture"""
    mirror: bool | None = None
    """also mirror pictures at random; default: colour pictures only"""
    dropout: float = 0.4
    """share of the features left out while learning"""
    survival: float = 0.8
    """chance that the last residual branch is kept (stochastic depth)"""
    width: int = 16
    """channels of the first stage"""
    depth: int = 1
    """residual blocks in each of three stages"""
    stride: int = 1
    """of the first convolution; 2 makes large pictures four times cheaper"""
    lr: float = 3e-3
    """learning rate"""
    decay: float = 0.05
    """weight decay"""
    average: float = 0.99
    """decay of the averaged weights that predict"""

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
        facts = facts_of(split)
        run.keep("facts", facts)
        with run.seeded("weights"):
            made = self.learner(facts)
        source = Batches(split.labelled, self.batch, run.seed, few_labels.noise(self, facts))
        net = few_labels.teach(run.stage("supervised"), self, split, made, source, self.budget(1.0))
        run.keep("results", {"supervised": examine(run, net, split, "supervised")})
        return net

    def learner(self, facts: dict) -> Learner:
        return few_labels.learner(self, facts, self.width, self.dropout, self.survival)

    def model(self, facts: dict) -> Classifier:
        return Classifier(self.learner(facts), facts)

    def claim(self, run: Run) -> Claim:
        split = few_labels.split(self)
        few_labels.testable(split)
        net = self.train(run)
        return Claim(self.statement, net.accuracy(split.test), {"support vector machine": svm(split)})

    def check(self) -> None:
        super().check()
        few_labels.check(self)
