"""probe: what the features of a trained trunk are worth, layer by layer and label by label."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.data import Split
from caudex.data.stratified import stratified_sample
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import (
    MAJORITY,
    accuracy_gains,
    evaluate_accuracy,
    evaluate_predictions,
    recall_rows,
)
from caudex.evaluation.intervals import wilson_interval
from caudex.evaluation.probing import probe_beside_random_trunk
from caudex.evaluation.verdicts import format_difference, format_verdict
from caudex.models.encoder import update_bn
from caudex.models.image_classifier import ImageClassifier
from caudex.systems.few_labels.shared import FewLabels, require_test_images
from caudex.systems.shared import image_spec, standardise_inputs


@dataclass
class Probe(FewLabels):
    """What the features of a trained trunk are worth: `caudex probe RUN`, by layer, and fine-tuned with few labels.

    Linear and nearest-neighbour accuracy of each layer's frozen features beside those of a random trunk; then the whole
    network fine-tuned with shares of the labels, beside the same network from scratch. What was fine-tuned with most
    labels predicts.
    """

    trunk: str = "small"
    """small: a residual net of three stages; resnet50: the publications' (He et al. 2016), for large images"""
    labels_per_class: int = 0
    """labels to keep of each class; 0 keeps all"""
    steps: int = 300
    """of each fine-tuning"""
    shares: tuple[float, ...] = (0.01, 0.1, 1.0)
    """shares of the labels that the network is fine-tuned with; at least one of each class is kept"""

    scales: ClassVar = {"tiny": {"steps": 20, "shares": (0.1,)}}
    results_type: ClassVar = result_kinds.ProbeResults
    takes_pretrained: ClassVar = False
    statement: ClassVar = "fine-tuning a trunk that learned before makes more of few labels than starting from scratch"

    def train(self, run: Run) -> ImageClassifier:
        if not self.start:
            raise CaudexError("--start is missing: say which run to probe, as in `caudex probe RUN`.")
        return super().train(run)

    def load_split(self) -> Split:
        split = super().load_split()
        require_test_images(split)
        return split

    def train_and_test(self, run: Run, split: Split) -> tuple[ImageClassifier, dict]:
        spec = image_spec(split)
        with run.seeded("weights"):
            random_trunk = self.learner(spec).trunk
        standardise_inputs(random_trunk, split.train)
        trunk = deepcopy(random_trunk)
        self.load_start(trunk)
        self.print_data(run, split)
        for network in (random_trunk, trunk):
            update_bn(network, split.train)
        layers = probe_beside_random_trunk(run, trunk, random_trunk, split.labelled, split.test)
        rows, pairs = [], []
        labelled = {share: split.labelled.take(self.labelled_rows(split, share)) for share in sorted(self.shares)}
        for share, part in {len(part): (share, part) for share, part in labelled.items()}.values():  # equal ones once
            few = replace(split, labelled=part)
            tuned = self.fine_tune(run.stage(f"tuned-{share:g}"), few)
            scratch = replace(self, start=None).fine_tune(run.stage(f"scratch-{share:g}"), few)
            accuracies = {
                "tuned": evaluate_accuracy(tuned, split.test),
                "scratch": evaluate_accuracy(scratch, split.test),
            }
            rows.append({"labels": len(part), "share": share} | accuracies)
            pairs.append((tuned, scratch))
        for row, gain in zip(rows, accuracy_gains(pairs, split.test)):
            row["gain"] = gain
        predictions = tuned.probabilities(split.test).argmax(1)
        predicted = evaluate_predictions(split.test.labels, predictions, spec.classes)
        return tuned, {"layers": layers, "fine-tuning": rows, "fine-tuned with most": predicted}

    def result_rows(self, results: dict) -> list[tuple]:
        count = results["fine-tuning"][0]["tuned"]["test_size"]

        def cell(accuracy: float) -> str:
            low, high = wilson_interval(accuracy, count)
            return f"{accuracy:.1%} ({low:.1%} to {high:.1%})"

        rows = [("", "accuracy", "random, or scratch")]

        def add_row(name: str, accuracy: float, baseline: float, gain: dict) -> None:
            rows.append((name, cell(accuracy), cell(baseline)))
            interval = None if gain["low"] is None else (gain["low"], gain["high"])
            rows.append(("  gain", format_difference(gain["gain"], interval, ".1%"), format_verdict(gain, ".1%")))

        for row in results["layers"]:
            add_row(f"linear probe, {row['layer']}", row["linear"], row["random trunk"], row["gain"])
        rows.append(("20 nearest neighbours, pooled", cell(results["layers"][-1]["neighbours"]), ""))
        for row in results["fine-tuning"]:
            name = f"fine-tuned with {row['labels']:,} labels (--shares {row['share']:.3g})"
            add_row(name, row["tuned"]["accuracy"], row["scratch"]["accuracy"], row["gain"])
        predicted = results["fine-tuned with most"]
        majority = predicted["majority"]
        rows.append(("macro-F1, with most labels", f"{predicted['macro_f1']:.1%}", ""))
        rows += [(name, f"{recall} ({interval})", "") for name, recall, interval in recall_rows(predicted["recall"])]
        rows.append((f"{MAJORITY}: {majority['class']}", f"{majority['accuracy']:.1%}", ""))
        rows.append(("tested (in brackets: 95%)", f"{count:,}", ""))
        return rows

    def labelled_rows(self, split: Split, share: float) -> Tensor:
        """Rows of a share of each class, at least one image; a smaller share lies within a larger."""
        counts = torch.bincount(split.labelled.labels, minlength=len(split.labelled.classes))
        class_counts = (counts * share).round().clamp_min(1).long().tolist()
        return stratified_sample(split.labelled.labels, class_counts, self.seed, "share")

    def fine_tune(self, run: Run, split: Split) -> ImageClassifier:
        return self.fit_labels(run, split, **self.budget(1 / (2 * len(self.shares))))

    def claim(self, run: Run) -> Claim:
        """At the smallest share of labels."""
        self.train(run)
        results = run.read_json("results")
        few = min(results["fine-tuning"], key=lambda row: row["share"])
        controls = {MAJORITY: results["fine-tuned with most"]["majority"]["accuracy"]}
        baselines = {"from scratch": few["scratch"]["accuracy"]}
        return Claim(self.statement, few["tuned"]["accuracy"], baselines, controls=controls)

    def check(self) -> None:
        super().check()
        for share in self.shares:
            if not 0 < share <= 1:
                raise CaudexError(f"--shares {share:g} is no share of the labels; give one above 0, at most 1.")
        if not self.shares:
            raise CaudexError("--shares is empty; give one at least, such as 1.")
