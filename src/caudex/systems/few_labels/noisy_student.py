"""noisy-student: a teacher labels the unlabelled images, a noised student learns from both and is the next teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.data import Batches, Join, Split, off_topic_share
from caudex.evaluation import result_kinds
from caudex.evaluation.baselines.sklearn import label_spreading_accuracy, self_training_accuracy
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import (
    MAJORITY,
    accuracy_gain,
    corrupted_accuracies,
    evaluate_accuracy,
    evaluate_classifier,
    evaluate_columns,
)
from caudex.evaluation.probing import compare_with_linear_probe
from caudex.evaluation.pseudo_labels import evaluate_pseudo_labels
from caudex.evaluation.verdicts import format_gain
from caudex.models.image_classifier import ImageClassifier
from caudex.signals.labels import one_hot
from caudex.systems.few_labels.cross_validation import calibrate
from caudex.systems.few_labels.pseudo_labels import (
    align_distribution,
    compare_shares,
    select_confident,
    smooth_over_neighbours,
)
from caudex.systems.few_labels.shared import FewLabels, require_test_images
from caudex.systems.image_trunks import is_pretrained
from caudex.systems.shared import image_spec
from caudex.trunks import FrozenEncoder

DEFAULTS = {
    True: {"rounds": 1, "ratio": 1 / 3, "first_share": 1.0, "balance": False, "smooth": True},
    False: {"rounds": 6, "ratio": 4.0, "first_share": 0.02, "smooth": False},
}
"""of settings left to the trunk: pretrained, where they were chosen on draws 100 to 119 (docs/pretrained.md), or at random"""


@dataclass
class NoisyStudent(FewLabels):
    """Few labelled and many unlabelled images: teachers label, noised students learn (Xie et al. 2020).

    Trains a teacher on the labelled images, then `rounds` students on labelled and pseudo-labelled ones together,
    and a supervised network with the same noise and the same compute, so that the gain is seen.
    laptop: a minute on one thread; digits with 1, 4, 10, 25 labels a class, 20 draws: 89.3, 96.9, 98.2, 99.1%
    (supervised 71.4, 92.1, 96.9, 98.8%).
    """

    rounds: int | None = None
    """students, each the teacher of the next; default: 6, or 1 with a pretrained trunk"""
    steps: int = 300
    ratio: float | None = None
    """pseudo-labelled images for each labelled one in a batch; each image weighs the same (the released code); default: 4, or a third
    with a pretrained trunk"""
    first_share: float | None = None
    """the surest share of the images that the first student learns from; it grows evenly from student to student; default: 0.02, or all
    with a pretrained trunk"""
    last_share: float = 1.0
    """the share that the last student learns from"""
    threshold: float = 0.0
    """images that the teacher is less sure of are left out (0.3 in the paper)"""
    soft: bool = False
    """learn the teacher's probabilities rather than its choice; better where unlabelled images may be of other things"""
    balance: bool | None = None
    """as many of each class as its share of the labels says: the surest are kept, too few are repeated; default: not with a
    pretrained trunk, else unless the first teacher finds the unlabelled images shared out otherwise, and not by its own errors"""
    smooth: bool | None = None
    """draw what the teacher says of an image to what it says of its nearest neighbours, and to the labels among these; default: with a
    pretrained trunk"""
    growth: float = 1.0
    """width of the last student over the teacher's; at least 1"""
    baseline: bool = True
    """also train the supervised network, without which no gain is seen"""
    ablation: bool = True
    """in a claim, also measure the students without noise"""
    calibrate: bool = True
    """fit a temperature, so that confidences are shares that are right; takes about as long again as the network that predicts"""

    scales: ClassVar = {
        "tiny": {"trunk": "small", "rounds": 2, "steps": 20, "width": 8, "batch": 40},
        "paper": {
            "data": "imagenet/", "size": 224, "rounds": 3, "steps": 430_000, "batch": 2048 * 15, "ratio": 14.0, "width": 64,
            "depth": 8, "stride": 2, "dropout": 0.5, "survival": 0.8, "soft": True, "threshold": 0.3, "magnitude": 0.9,
            "first_share": 1.0, "labels_per_class": None, "average": 0.9999,
        },
    }  # fmt: skip
    statement: ClassVar = "unlabelled images, labelled by a teacher, make a noised student better than labels alone"

    def __post_init__(self):
        defaults = DEFAULTS[is_pretrained(self.trunk)] if self.trunk != "auto" else {}
        for name, value in defaults.items():
            if getattr(self, name) is None:
                setattr(self, name, value)

    def train_and_test(self, run: Run, split: Split) -> tuple[ImageClassifier, dict]:
        results = {
            "off_topic": off_topic_share(split.labelled, split.unlabelled),
            "classes": len(split.labelled.classes),
        }
        flops_before = run.compute.flops
        teacher, student, rounds, refit = self.train_students(run, split)
        results["teacher"] = evaluate_accuracy(teacher, split.test)
        run.table("rounds", rounds)
        results["class_shares"] = run.read_checked("class_shares", result_kinds.ClassShares)
        flops = run.compute.flops - flops_before
        if self.calibrate:
            stage = f"student-{self.rounds}"
            results["calibration"] = calibrate(run, student, split, stage, refit)
        results["noisy-student"] = evaluate_classifier(run, student, split, "noisy-student")
        results |= evaluate_columns(run, student, split.test, "noisy-student")
        results["parameters"] = sum(p.numel() for p in student.trunk.parameters())
        if self.baseline:
            stage = run.stage("supervised")
            labelled = self.labelled_batches(run, split)
            supervised = self.fit_network(stage, split, self.rounds, labelled, flops=flops)
            results["supervised, same compute"] = evaluate_classifier(stage, supervised, split, "supervised")
            results["gain"] = accuracy_gain(student, supervised, split.test)
        if split.encoder:
            results |= compare_with_linear_probe(student, split)
        return student, results

    def train_classifier(self, run: Run, split: Split) -> ImageClassifier:
        return self.train_students(run, split)[1]

    def train_students(
        self, run: Run, split: Split
    ) -> tuple[ImageClassifier, ImageClassifier, list[dict], Callable[..., ImageClassifier]]:
        """The first teacher, the last student, a row of figures for each round, and what fits that student again."""
        teacher = student = self.fit_network(run.stage("teacher"), split, 0, self.labelled_batches(run, split))
        rounds = []
        for number in range(1, self.rounds + 1):
            rows, probabilities, accuracy = self.pseudo_labels(run, number, student, split)
            figures = {"pseudo_labels": len(rows), "images": len(rows.unique()), "pseudo_label_accuracy": accuracy}
            source = self.student_source(run, split, rows, probabilities)
            student = self.fit_network(run.stage(f"student-{number}"), split, number, source)
            rounds.append({"round": number, **figures, "student_accuracy": student.accuracy(split.test)})

        def refit(run: Run, split: Split, **budget) -> ImageClassifier:
            return self.fit_network(run, split, number, self.student_source(run, split, rows, probabilities), **budget)

        return teacher, student, rounds, refit

    def student_source(self, run: Run, split: Split, rows: Tensor, probabilities: Tensor) -> Join:
        """Labelled images, and those of the unlabelled at `rows` [M] with the teacher's labels [M, K], in one batch."""
        labelled_size, spec = self.labelled_batch_size(len(split.labelled), len(rows)), image_spec(split)
        pseudo_labelled, pseudo_seed = split.unlabelled.take(rows), run.source_seed("pseudo-labelled")
        size = self.batch - labelled_size
        return Join(
            self.labelled_batches(run, split, labelled_size),
            Batches(pseudo_labelled, size, pseudo_seed, self.augmentation(spec), probabilities),
        )

    def labelled_batches(self, run: Run, split: Split, size: int | None = None) -> Batches:
        labels = one_hot(split.labelled.labels, len(split.labelled.classes))
        return super().labelled_batches(run, split, size, labels)

    def load_split(self) -> Split:
        split = super().load_split()
        if len(split.unlabelled) == 0:
            raise CaudexError(f"{self.data} has no unlabelled images; add some, or use `caudex train supervised`.")
        return split

    def fit_network(self, run: Run, split: Split, number: int, labelled: Batches | Join, **budget) -> ImageClassifier:
        """Fit the teacher (number 0) or a student. All learn under the same noise."""
        with run.seeded("weights"):
            learner = self.numbered_learner(image_spec(split), number, split.encoder)
        share = 1 / ((1 + self.rounds) * (1 + self.baseline) + self.calibrate)
        return self.fit_learner(run, split, learner, labelled, **(budget or self.budget(share)))

    def numbered_learner(self, spec: ImageSpec, number: int, encoder: FrozenEncoder | None = None) -> Learner:
        """The teacher (number 0) or a student; their widths grow evenly."""
        return self.learner(spec, round(self.width * (1 + (self.growth - 1) * number / self.rounds)), encoder)

    def last_learner(self, spec: ImageSpec, encoder: FrozenEncoder | None) -> Learner:
        return self.numbered_learner(spec, self.rounds, encoder)

    def labelled_batch_size(self, labelled: int, pseudo_labelled: int) -> int:
        """Every image is learned from as often, but the labelled at least once for `ratio` others."""
        share = max(labelled / (labelled + pseudo_labelled), 1 / (1 + self.ratio))
        return min(self.batch - 1, max(1, round(self.batch * share)))

    def pseudo_labels(
        self, run: Run, number: int, teacher: ImageClassifier, split: Split
    ) -> tuple[Tensor, Tensor, float]:
        """Rows of the unlabelled set [M], the teacher's labels for them [M, K], and the accuracy of these, where known.

        The teacher sees clean images in eval mode. What it says is smoothed over neighbours, and its class shares are brought to those
        of the labels, as far as the settings say so. What the first teacher finds decides for all, and is kept as class_shares.json.
        """
        labels = one_hot(split.labelled.labels, len(split.labelled.classes))  # [M, K]
        class_shares = labels.mean(0)  # [K]
        with run.counting(teacher):
            probabilities = teacher.probabilities(split.unlabelled)  # [N, K]
            if number == 1:
                run.write_json("class_shares", compare_shares(probabilities, class_shares, split.labelled.classes))
            if self.smooth:
                features = torch.cat([teacher.features(part) for part in (split.labelled, split.unlabelled)])
                probabilities = smooth_over_neighbours(torch.cat([labels, probabilities]), features)[len(labels) :]
        balance = self.balance
        if balance is None:
            balance = not run.read_checked("class_shares", result_kinds.ClassShares)["differ"]
        if balance:
            probabilities = align_distribution(probabilities, class_shares)
        confidence, predictions = probabilities.max(1)
        share = self.first_share + (self.last_share - self.first_share) * (number - 1) / max(1, self.rounds - 1)
        class_counts = class_shares * share * len(probabilities) if balance else None
        rows = select_confident(confidence, predictions, class_counts, share, self.threshold)
        if len(rows) == 0:
            raise CaudexError(
                f"the teacher is less than {self.threshold:.0%} sure of every unlabelled image; lower --threshold."
            )
        figure = f"wrong-pseudo-labels-{number}"
        accuracy = evaluate_pseudo_labels(run, figure, split.unlabelled, rows, predictions, confidence)
        pseudo_labels = probabilities if self.soft else F.one_hot(predictions, labels.shape[1]).float()
        return rows, pseudo_labels[rows], accuracy

    def kinds_of_results(self) -> tuple:
        return (
            *super().kinds_of_results(),
            result_kinds.WithBaseline if self.baseline else result_kinds.WithoutBaseline,
        )

    def warn(self, results: dict) -> list[str]:
        warnings = super().warn(results)
        if "accuracy" not in results["noisy-student"]:
            warnings.append(
                "nothing was held out to test on (each class needs five labels, or a folder test/CLASS/), so no gain is measured."
            )
        elif self.baseline:
            supervised, chance = results["supervised, same compute"], 1 / results["classes"]
            if supervised["low"] < chance + 0.1 * (1 - chance):
                warnings.append(
                    f"even labels alone are close to guessing ({chance:.0%}), so a teacher has little to tell; label more "
                    "images, or try a larger --size."
                )
            if results["gain"] and results["gain"]["verdict"] != "better":
                warnings.append(
                    f"the gain over supervised learning with the same compute is {format_gain(results['gain'], '.1%')}. "
                    "`caudex claim` measures several draws."
                )
        if (shares := results["class_shares"])["differ"] and self.balance is not False:
            name = shares["class"]
            advice = "so these keep the teacher's shares; --balance would force those of the labels on them"
            if self.balance:
                advice = "and --balance forces the shares of the labels on them; leave it out"
            warnings.append(
                f"the teacher finds {shares['teacher']:.0%} {name!r} among the unlabelled images, of the labels these are "
                f"{shares['labels']:.0%}: {advice}."
            )
        if results["off_topic"] > 0.2:
            warnings.append(
                f"about {results['off_topic']:.0%} of the unlabelled images look unlike every labelled one; images of other "
                "things are forced into your classes. Remove them, or try --threshold 0.9 --no-balance."
            )
        return warnings

    def claim(self, run: Run) -> Claim:
        split = self.load_split()
        require_test_images(split)
        replace(self, baseline=True, calibrate=False).train(run)
        results = run.read_json("results")
        student, supervised = results["noisy-student"], results["supervised, same compute"]
        baselines = {"supervised": supervised["accuracy"]}
        if self.ablation:
            without_noise = replace(
                self, magnitude=0.0, dropout=0.0, survival=1.0, mirror=False, baseline=False, calibrate=False
            )
            baselines["students without noise"] = without_noise.train(run.stage("without-noise")).accuracy(split.test)
        if len(split.labelled) + len(split.unlabelled) <= 5000:
            if split.encoder:
                baselines["logistic regression"] = results["logistic regression"]["accuracy"]
            baselines["scikit-learn self-training"] = self_training_accuracy(split)
            baselines["scikit-learn label spreading"] = label_spreading_accuracy(split)
        secondary = {
            "teacher": results["teacher"]["accuracy"],
            "parameters": results["parameters"],
            **corrupted_accuracies(student, supervised, "supervised"),
        }
        controls = {MAJORITY: student["majority"]["accuracy"]}
        return Claim(self.statement, student["accuracy"], baselines, secondary, controls)

    def check(self) -> None:
        super().check()
        check_range(self, rounds=(1, 100), ratio=(0.1, 1000), first_share=(0.001, 1), last_share=(0.001, 1))
        check_range(self, threshold=(0, 0.999), growth=(1, 16))
