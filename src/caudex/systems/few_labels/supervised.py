"""supervised: the labelled images alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.data import Split
from caudex.evaluation.baselines.sklearn import svm_accuracy
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import MAJORITY, evaluate_classifier, evaluate_columns
from caudex.evaluation.targets import evaluate_targets, target_rows, target_warnings
from caudex.models.image_classifier import ImageClassifier
from caudex.systems.few_labels.cross_validation import calibrate
from caudex.systems.few_labels.shared import FewLabels, require_test_images
from caudex.systems.shared import image_spec


@dataclass
class Supervised(FewLabels):
    """The labelled images alone, well noised: the baseline that everything is held against."""

    calibrate: bool = True
    """fit a temperature, so that confidences are shares that are right; takes about as long again as the network that predicts"""

    scales: ClassVar = {
        "tiny": {"trunk": "small", "steps": 40, "width": 8},
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
    targets: ClassVar = ("class", "tags", "number")
    statement: ClassVar = "a well noised network makes more of few labelled images than a support vector machine"

    def train_and_test(self, run: Run, split: Split) -> tuple[ImageClassifier, dict]:
        classifier, results = self.train_classifier(run, split), {}
        if split.labelled.target != "class":
            results["supervised"] = evaluate_targets(run, classifier, split)
            return classifier, results | evaluate_columns(run, classifier, split.test, "supervised")
        if self.calibrate:
            results["calibration"] = calibrate(run, classifier, split, "supervised", self.fit_labels)
        results["supervised"] = evaluate_classifier(run, classifier, split, "supervised")
        return classifier, results | evaluate_columns(run, classifier, split.test, "supervised")

    def train_classifier(self, run: Run, split: Split) -> ImageClassifier:
        spec = image_spec(split)
        with run.seeded("weights"):  # the run's own seed, not the stage's
            learner = self.learner(spec, encoder=split.encoder)
        labelled = self.labelled_batches(run, split)
        share = 1 / (1 + (self.calibrate and split.labelled.target == "class"))
        return self.fit_learner(run.stage("supervised"), split, learner, labelled, **self.budget(share))

    def result_rows(self, results: dict) -> list[tuple]:
        return target_rows(results) or super().result_rows(results)

    def warn(self, results: dict) -> list[str]:
        return super().warn(results) + target_warnings(results)

    def claim(self, run: Run) -> Claim:
        split = self.load_split()
        if split.labelled.target != "class":
            raise CaudexError(
                f"the claim of supervised is about classes, and column {split.labelled.target_name!r} has "
                f"{split.labelled.target}; `caudex train supervised` measures these."
            )
        require_test_images(split)
        replace(self, calibrate=False).train(run)
        row = run.read_json("results")["supervised"]
        baselines, controls = {"support vector machine": svm_accuracy(split)}, {MAJORITY: row["majority"]["accuracy"]}
        return Claim(self.statement, row["accuracy"], baselines, controls=controls)
