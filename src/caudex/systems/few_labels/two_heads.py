"""two-heads: labels and further signals teach one trunk at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from caudex.core.run import Run
from caudex.data import Split
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import (
    MAJORITY,
    accuracy_gain,
    corrupted_accuracies,
    evaluate_classifier,
    evaluate_columns,
)
from caudex.models.image_classifier import ImageClassifier
from caudex.systems.few_labels.cross_validation import calibrate
from caudex.systems.few_labels.shared import FewLabels, require_test_images


@dataclass
class TwoHeads(FewLabels):
    """Labels and a free signal on one trunk at once (after Zhai et al. 2019); any signals by --also.

    Trains the trunk with all its heads, then with labels alone for the same compute, so that the gain is seen.
    laptop: a minute and a half on one thread; digits, 10 labels a class, 5 draws: 96.8 +- 1.1% (labels alone
    96.4 +- 1.6%): not shown; digits have no clear way up.
    """

    also: tuple[str, ...] = ("rotation:0.5",)
    """signals beside the labels: NAME or NAME:WEIGHT, or labels:COLUMN"""
    calibrate: bool = True
    """fit a temperature, so that confidences are shares that are right; takes about as long again as the network that predicts"""

    scales: ClassVar = {
        "tiny": {"trunk": "small", "steps": 30, "width": 8},
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

    def train_and_test(self, run: Run, split: Split) -> tuple[ImageClassifier, dict]:
        flops_before = run.compute.flops
        both = self.fit_labels(run.stage("two-heads"), split, **self.budget(1 / (2 + self.calibrate)))
        flops = run.compute.flops - flops_before
        results = {}
        if self.calibrate:
            results["calibration"] = calibrate(run, both, split, "two-heads", self.fit_labels)
        results["two-heads"] = evaluate_classifier(run, both, split, "two-heads")
        results |= evaluate_columns(run, both, split.test, "two-heads")
        stage = run.stage("labels-alone")
        labels_alone = replace(self, also=()).fit_labels(stage, split, flops=flops)
        results["labels alone, same compute"] = evaluate_classifier(stage, labels_alone, split, "labels-alone")
        return both, results | {"gain": accuracy_gain(both, labels_alone, split.test)}

    def train_classifier(self, run: Run, split: Split) -> ImageClassifier:
        return self.fit_labels(run.stage("two-heads"), split, **self.budget(1.0))

    def claim(self, run: Run) -> Claim:
        require_test_images(self.load_split())
        replace(self, calibrate=False).train(run)
        results = run.read_json("results")
        both, alone = results["two-heads"], results["labels alone, same compute"]
        secondary = corrupted_accuracies(both, alone, "labels alone")
        baselines, controls = {"labels alone": alone["accuracy"]}, {MAJORITY: both["majority"]["accuracy"]}
        return Claim(self.statement, both["accuracy"], baselines, secondary, controls)
