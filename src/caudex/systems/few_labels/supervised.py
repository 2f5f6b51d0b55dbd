"""supervised: the labelled images alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from caudex.core.run import Run
from caudex.data import Split
from caudex.evaluation.baselines.sklearn import svm_accuracy
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import MAJORITY, evaluate_classifier, evaluate_columns
from caudex.models.image_classifier import ImageClassifier
from caudex.systems.few_labels.cross_validation import calibrate
from caudex.systems.few_labels.shared import FewLabels, require_test_images
from caudex.systems.shared import image_spec


@dataclass
class Supervised(FewLabels):
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

    def train_and_test(self, run: Run, split: Split) -> tuple[ImageClassifier, dict]:
        classifier, results = self.train_classifier(run, split), {}
        if self.calibrate:
            results["calibration"] = calibrate(run, classifier, split, "supervised", self.fit_labels)
        results["supervised"] = evaluate_classifier(run, classifier, split, "supervised")
        return classifier, results | evaluate_columns(run, classifier, split.test, "supervised")

    def train_classifier(self, run: Run, split: Split) -> ImageClassifier:
        spec = image_spec(split)
        with run.seeded("weights"):  # the run's own seed, not the stage's
            learner = self.learner(spec)
        labelled = self.labelled_batches(run, split)
        return self.fit_learner(run.stage("supervised"), split, learner, labelled, **self.budget(1.0))

    def claim(self, run: Run) -> Claim:
        split = self.load_split()
        require_test_images(split)
        replace(self, calibrate=False).train(run)
        row = run.read_json("results")["supervised"]
        baselines, controls = {"support vector machine": svm_accuracy(split)}, {MAJORITY: row["majority"]["accuracy"]}
        return Claim(self.statement, row["accuracy"], baselines, controls=controls)
