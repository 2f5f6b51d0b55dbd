"""noisy-student: a teacher labels the unlabelled images, a noised student learns from both and is the next teacher."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System, check_range
from caudex.data import Batches, Join, Split, off_topic_share, with_off_topic
from caudex.evaluation.baselines.sklearn import label_spreading_accuracy, self_training_accuracy
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import accuracy_gain, evaluate_accuracy, evaluate_classifier
from caudex.evaluation.plots.captioned_images import plot_captioned_images
from caudex.models.classifier import Classifier
from caudex.signals.labels import one_hot
from caudex.systems.few_labels import shared as few_labels
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.shared import record_spec, spec_of


@dataclass
class NoisyStudent(FewLabels, System):
    """Few labelled and many unlabelled images: teachers label, noised students learn (Xie et al. 2020).

    Trains a teacher on the labelled images, then `rounds` students on labelled and pseudo-labelled ones together,
    and a supervised network with the same noise and the same compute, so that the gain is seen.
    laptop: a minute on one thread; digits with 1, 4, 10, 25 labels a class, 20 draws: 89.3, 96.9, 98.2, 99.1%
    (supervised 71.4, 92.1, 96.9, 98.8%).
    """

    rounds: int = 6
    """students, each the teacher of the next"""
    steps: int = 300
    ratio: float = 4.0
    """pseudo-labelled images for each labelled one in a batch; each image weighs the same (the released code)"""
    first_share: float = 0.02
    """the surest share of the images that the first student learns from; it grows evenly from student to student"""
    last_share: float = 1.0
    """the share that the last student learns from"""
    threshold: float = 0.0
    """images that the teacher is less sure of are left out (0.3 in the paper)"""
    soft: bool = False
    """learn the teacher's probabilities rather than its choice; better where unlabelled images may be of other things"""
    balance: bool = True
    """as many of each class as its share of the labels says: the surest are kept, too few are repeated"""
    growth: float = 1.0
    """width of the last student over the teacher's; at least 1"""
    baseline: bool = True
    """also train the supervised network, without which no gain is seen"""
    ablation: bool = True
    """in a claim, also measure the students without noise"""
    off_topic: float | None = None
    """for study: learn the first half of the classes, with this share of the unlabelled images from the others"""

    scales: ClassVar = {
        "tiny": {"rounds": 2, "steps": 20, "width": 8, "batch": 40},
        "paper": {
            "data": "imagenet/", "size": 224, "rounds": 3, "steps": 430_000, "batch": 2048 * 15, "ratio": 14.0, "width": 64,
            "depth": 8, "stride": 2, "dropout": 0.5, "survival": 0.8, "soft": True, "threshold": 0.3, "magnitude": 0.9,
            "first_share": 1.0, "labels_per_class": None, "average": 0.9999,
        },
    }  # fmt: skip
    statement: ClassVar = "unlabelled images, labelled by a teacher, make a noised student better than labels alone"

    def train(self, run: Run) -> Classifier:
        split = self.split()
        spec = record_spec(run, split)
        if len(split.unlabelled) == 0:
            raise CaudexError(f"{self.data} has no unlabelled images; add some, or use `caudex train supervised`.")
        results = {"off_topic": off_topic_share(split.labelled, split.unlabelled), "classes": len(spec.classes)}
        before = run.compute.flops
        teacher, net, rounds = self.teachers(run, split)
        results["teacher"] = evaluate_accuracy(teacher, split.test)
        run.table("rounds", rounds)
        spent = run.compute.flops - before
        results["noisy-student"] = evaluate_classifier(run, net, split, "noisy-student")
        results["parameters"] = sum(p.numel() for p in net.trunk.parameters())
        if self.baseline:
            stage = run.stage("supervised")
            equal = self.network(stage, split, self.rounds, self.labelled(run, split, self.batch), flops=spent)
            results["supervised, same compute"] = evaluate_classifier(stage, equal, split, "supervised")
            results["gain"] = accuracy_gain(net, equal, split.test)
        run.write_json("results", results)
        return net

    def classifier(self, run: Run, split: Split) -> Classifier:
        return self.teachers(run, split)[1]

    def teachers(self, run: Run, split: Split) -> tuple[Classifier, Classifier, list[dict]]:
        """The first teacher, the last student, and what there is to say of each round."""
        teacher = net = self.network(run.stage("teacher"), split, 0, self.labelled(run, split, self.batch))
        noise, rounds = few_labels.noise(self, spec_of(split)), []
        for number in range(1, self.rounds + 1):
            rows, told, right = self.pseudo_labels(run, number, net, split)
            rounds.append({"round": number, "learned": len(rows), "distinct": len(rows.unique()), "right": right})
            few = self.labelled_of_a_batch(len(split.labelled), len(rows))
            source = Join(
                self.labelled(run, split, few),
                Batches(split.unlabelled.take(rows), self.batch - few, run.seed, noise, told),
            )
            net = self.network(run.stage(f"student-{number}"), split, number, source)
            rounds[-1]["student"] = net.accuracy(split.test)
        return teacher, net, rounds

    def labelled(self, run: Run, split: Split, size: int) -> Batches:
        spec = spec_of(split)
        told = one_hot(split.labelled.labels, len(spec.classes))
        return Batches(split.labelled, size, run.seed, few_labels.noise(self, spec), told)

    def split(self) -> Split:
        whole = few_labels.split(self)
        return whole if self.off_topic is None else with_off_topic(whole, self.off_topic, self.seed)

    def network(self, run: Run, split: Split, number: int, source: Batches | Join, **budget) -> Classifier:
        """Train the teacher (number 0) or a student."""
        with run.seeded("weights"):
            made = self.learner(spec_of(split), number)
        share = 1 / (1 + self.rounds) / (1 + self.baseline)
        return few_labels.teach(run, self, split, made, source, budget or self.budget(share))

    def learner(self, spec: ImageSpec, number: int) -> Learner:
        """All learn under the same noise; students grow evenly."""
        width = round(self.width * (1 + (self.growth - 1) * number / self.rounds))
        return few_labels.learner(self, spec, width)

    def model(self, spec: ImageSpec) -> Classifier:
        return Classifier(self.learner(spec, self.rounds), spec)

    def labelled_of_a_batch(self, labelled: int, pseudo: int) -> int:
        """Every image is seen as often, but the labelled at least once for `ratio` others."""
        share = max(labelled / (labelled + pseudo), 1 / (1 + self.ratio))
        return min(self.batch - 1, max(1, round(self.batch * share)))

    def pseudo_labels(self, run: Run, number: int, teacher: Classifier, split: Split) -> tuple[Tensor, Tensor, float]:
        """Rows of the unlabelled set [M], what the teacher says of them [M, K], and how many are right, where known.

        The teacher sees clean images in eval mode; its class shares are first brought to those of the labels.
        """
        with run.counting(teacher):
            told = teacher.probabilities(split.unlabelled)  # [N, K]
        classes = told.shape[1]
        wanted = one_hot(split.labelled.labels, classes).mean(0)  # [K]
        if self.balance:
            told = aligned(told, wanted)
        confidence, number_told = told.max(1)
        share = self.first_share + (self.last_share - self.first_share) * (number - 1) / max(1, self.rounds - 1)
        chosen = surest(
            confidence, number_told, wanted * share * len(told) if self.balance else None, share, self.threshold
        )
        if len(chosen) == 0:
            raise CaudexError(
                f"the teacher is less than {self.threshold:.0%} sure of every unlabelled image; lower --threshold."
            )
        right = float("nan")
        if (hidden := split.unlabelled.hidden) is not None and (hidden[chosen] >= 0).any():
            known = chosen[hidden[chosen] >= 0]
            right = (hidden[known] == number_told[known]).float().mean().item()
            wrong = known[hidden[known] != number_told[known]].unique()
            wrong = wrong[confidence[wrong].argsort(descending=True)][:16]
            titles = [f"{split.labelled.classes[number_told[i]]} {confidence[i]:.0%}" for i in wrong]
            plot_captioned_images(run, f"wrong-pseudo-labels-{number}", split.unlabelled, wrong, titles)
        return chosen, (told if self.soft else F.one_hot(number_told, classes).float())[chosen], right

    def warn(self, results: dict) -> list[str]:
        said = []
        if "accuracy" not in results["noisy-student"]:
            said.append(
                "nothing was held out to test on (each class needs five labels, or a folder test/CLASS/), so no gain is measured."
            )
        elif self.baseline:
            alone, chance = results["supervised, same compute"], 1 / results["classes"]
            if alone["low"] < chance + 0.1 * (1 - chance):
                said.append(
                    f"even labels alone are close to guessing ({chance:.0%}), so a teacher has little to tell; label more "
                    "images, or try a larger --size."
                )
            if results["gain"].get("low", 0) <= 0:
                said.append(
                    "no gain is shown: its interval reaches to zero or below. `caudex claim` measures several draws."
                )
        if results["off_topic"] > 0.2:
            said.append(
                f"about {results['off_topic']:.0%} of the unlabelled images look unlike every labelled one; images of other "
                "things are forced into your classes. Remove them, or try --threshold 0.9 --no-balance."
            )
        return said

    def claim(self, run: Run) -> Claim:
        split = self.split()
        few_labels.testable(split)
        replace(self, baseline=True).train(run)
        found = run.read_json("results")
        against = {"supervised": found["supervised, same compute"]["accuracy"]}
        if self.ablation:
            quiet = replace(self, magnitude=0.0, dropout=0.0, survival=1.0, mirror=False, baseline=False)
            against["students without noise"] = quiet.train(run.stage("without-noise")).accuracy(split.test)
        if len(split.labelled) + len(split.unlabelled) <= 5000:
            against |= {
                "scikit-learn self-training": self_training_accuracy(split),
                "scikit-learn label spreading": label_spreading_accuracy(split),
            }
        further = {
            "teacher": found["teacher"]["accuracy"],
            "corrupted": found["noisy-student"]["corrupted"],
            "corrupted, supervised": found["supervised, same compute"]["corrupted"],
            "corrupted gain": found["noisy-student"]["corrupted"] - found["supervised, same compute"]["corrupted"],
            "parameters": found["parameters"],
        }
        return Claim(self.statement, found["noisy-student"]["accuracy"], against, further)

    def check(self) -> None:
        super().check()
        few_labels.check(self)
        check_range(self, rounds=(1, 100), ratio=(0.1, 1000), first_share=(0.001, 1), last_share=(0.001, 1))
        check_range(self, threshold=(0, 0.999), growth=(1, 16), off_topic=(0, 1))


def aligned(told: Tensor, wanted: Tensor, passes: int = 10) -> Tensor:
    """Probabilities [N, K] rescaled so that their mean is nearly `wanted` [K] (after Berthelot et al. 2020, section 3.1)."""
    for _ in range(passes):
        told = told * (wanted / told.mean(0).clamp_min(1e-8))
        told = told / told.sum(1, keepdim=True)
    return told


def surest(confidence: Tensor, told: Tensor, wanted: Tensor | None, share: float, threshold: float) -> Tensor:
    """Rows above `threshold`, the surest first: `wanted[k]` of each class, repeated where there are too few;
    or, without `wanted`, that share of all (Xie et al. 2020, section 3.1, and the released filter)."""
    order = confidence.argsort(descending=True, stable=True)
    order = order[confidence[order] >= threshold]
    if wanted is None:
        return order[: max(1, round(share * len(confidence)))]
    rows = []
    for k, count in enumerate(wanted.round().long().clamp_min(1).tolist()):
        mine = order[told[order] == k][:count]
        if len(mine):
            rows.append(mine.repeat(-(-count // len(mine)))[:count])
    return torch.cat(rows) if rows else order[:0]
