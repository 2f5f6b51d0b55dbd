"""two-heads: labels and further signals teach one trunk at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from caudex import few_labels
from caudex.claim import Claim
from caudex.classifier import Classifier
from caudex.data import Batches, Split
from caudex.examination import examine
from caudex.few_labels import facts_of
from caudex.learner import Learner
from caudex.run import Run
from caudex.system import System


@dataclass
class TwoHeads(System):
    """Labels and a free signal on one trunk at once (after Zhai et al. 2019); any signals by --also.

    Trains the trunk with all its heads, then with labels alone for the same compute, so that the gain is seen.
    """

    data: str = "digits"
    """digits, fashion-mnist, a folder (labelled/CLASS/, unlabelled/), an .npz, a .csv or hf:NAME"""
    labels: str | None = None
    """a CSV file path,label,... for the pictures of the folder; --also labels:COLUMN teaches a further column"""
    labels_per_class: int | None = None
    """labels to keep of each class, the others are hidden; default: 10 of a packaged set, all of your own"""
    size: int = 0
    """side of the pictures in pixels; 0 chooses"""
    also: tuple[str, ...] = ("rotation:0.5",)
    """signals beside the labels: NAME or NAME:WEIGHT, or labels:COLUMN"""
    batch: int = 80
    """pictures a step, for each source"""
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
        run.keep("facts", facts_of(split))
        before = run.compute.flops
        net = self.network(run.stage("two-heads"), split, **self.budget(1 / 2))
        spent, alone = run.compute.flops - before, replace(self, also=())
        results = {"two-heads": examine(run, net, split, "two-heads")}
        equal = alone.network(run.stage("labels-alone"), split, flops=spent)
        results["labels alone, same compute"] = examine(run.stage("labels-alone"), equal, split, "labels-alone")
        run.keep("results", results)
        return net

    def network(self, run: Run, split: Split, **budget) -> Classifier:
        facts = facts_of(split)
        with run.seeded("weights"):
            made = self.learner(facts)
        source = Batches(split.labelled, self.batch, run.seed, few_labels.noise(self, facts))
        return few_labels.teach(run, self, split, made, source, budget)

    def learner(self, facts: dict) -> Learner:
        return few_labels.learner(self, facts, self.width, self.dropout, self.survival)

    def model(self, facts: dict) -> Classifier:
        return Classifier(self.learner(facts), facts)

    def claim(self, run: Run) -> Claim:
        few_labels.testable(few_labels.split(self))
        self.train(run)
        found = run.kept("results")
        joint, alone = found["two-heads"], found["labels alone, same compute"]
        further = {"corrupted": joint["corrupted"], "corrupted, labels alone": alone["corrupted"]}
        return Claim(self.statement, joint["accuracy"], {"labels alone": alone["accuracy"]}, further)

    def check(self) -> None:
        super().check()
        few_labels.check(self)
