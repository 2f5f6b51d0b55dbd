"""probe: what the features of a trained trunk are worth, layer by layer and label by label."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import System
from caudex.data import Split
from caudex.data.images.splits import stratified
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import evaluate_accuracy
from caudex.evaluation.intervals import wilson_interval
from caudex.evaluation.probing import probe_layers
from caudex.models.classifier import Classifier
from caudex.models.encoder import recalibrate
from caudex.systems.few_labels import shared as few_labels
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.shared import found, record_spec


@dataclass
class Probe(FewLabels, System):
    """What the features of a trained trunk are worth: `caudex probe RUN`, by layer, and fine-tuned with few labels.

    Linear and nearest-neighbour accuracy of each layer's frozen features beside those of a random trunk; then the whole
    network fine-tuned with shares of the labels, beside the same network from scratch. What was fine-tuned with most
    labels predicts.
    """

    labels_per_class: int = 0
    """labels to keep of each class; 0 keeps all"""
    steps: int = 300
    """of each fine-tuning"""
    shares: tuple[float, ...] = (0.01, 0.1, 1.0)
    """shares of the labels that the network is fine-tuned with; at least one of each class is kept"""

    scales: ClassVar = {"tiny": {"steps": 20, "shares": (0.1,)}}
    statement: ClassVar = "fine-tuning a trunk that learned before makes more of few labels than starting from scratch"

    def train(self, run: Run) -> Classifier:
        if not self.start:
            raise CaudexError("--start is missing: say which run to probe, as in `caudex probe RUN`.")
        split = few_labels.split(self)
        few_labels.testable(split)
        spec = record_spec(run, split)
        with run.seeded("weights"):
            random = few_labels.learner(self, spec).trunk
        random.standardise.measure(split.every.some(2000).fetch(slice(None)))
        taught = deepcopy(random)
        few_labels.begin(taught, self)
        print_once(run, found(spec))
        for trunk in (random, taught):
            recalibrate(trunk, split.every)
        with run.counting(random, taught):
            own, its = (probe_layers(trunk, split.labelled, split.test) for trunk in (taught, random))
        layers = [{"layer": layer, **own[layer], "random trunk": its[layer]["linear"]} for layer in own]
        run.table("layers", layers)
        tunings = []
        parts = {share: split.labelled.take(self.labelled(split, share)) for share in sorted(self.shares)}
        for share, part in {len(part): (share, part) for share, part in parts.items()}.values():  # equal ones once
            part = replace(split, labelled=part)
            net = self.tuned(run.stage(f"tuned-{share:g}"), part)
            scratch = replace(self, start=None).tuned(run.stage(f"scratch-{share:g}"), part)
            both = {"tuned": evaluate_accuracy(net, split.test), "scratch": evaluate_accuracy(scratch, split.test)}
            tunings.append({"labels": len(part.labelled), "share": share} | both)
        run.write_json("results", {"layers": layers, "fine-tuning": tunings})
        return net

    def result_rows(self, results: dict) -> list[tuple]:
        count = results["fine-tuning"][0]["tuned"]["test_size"]

        def told(accuracy: float) -> str:
            low, high = wilson_interval(accuracy, count)
            return f"{accuracy:.1%} ({low:.1%} to {high:.1%})"

        rows = [("", "accuracy", "random, or scratch")]
        for row in results["layers"]:
            rows.append((f"linear probe, {row['layer']}", told(row["linear"]), told(row["random trunk"])))
        rows.append(("20 nearest neighbours, pooled", told(row["neighbours"]), ""))
        for row in results["fine-tuning"]:
            name = f"fine-tuned with {row['labels']:,} labels (--shares {row['share']:.3g})"
            rows.append((name, *(told(row[which]["accuracy"]) for which in ("tuned", "scratch"))))
        rows.append(("tested (in brackets: 95%)", f"{count:,}", ""))
        return rows

    def labelled(self, split: Split, share: float) -> Tensor:
        """Rows of a share of each class, at least one image; a smaller share lies within a larger."""
        counts = torch.bincount(split.labelled.labels, minlength=len(split.labelled.classes))
        wanted = (counts * share).round().clamp_min(1).long().tolist()
        return stratified(split.labelled.labels, wanted, self.seed, "share")

    def tuned(self, run: Run, split: Split) -> Classifier:
        return few_labels.from_labels(run, self, split, self.budget(1 / (2 * len(self.shares))))

    def claim(self, run: Run) -> Claim:
        """At the smallest share of labels."""
        self.train(run)
        few = min(run.read_json("results")["fine-tuning"], key=lambda row: row["share"])
        return Claim(self.statement, few["tuned"]["accuracy"], {"from scratch": few["scratch"]["accuracy"]})

    def model(self, spec: ImageSpec) -> Classifier:
        return Classifier(few_labels.learner(self, spec), spec)

    def check(self) -> None:
        super().check()
        few_labels.check(self)
        for share in self.shares:
            if not 0 < share <= 1:
                raise CaudexError(f"--shares {share:g} is no share of the labels; give one above 0, at most 1.")
        if not self.shares:
            raise CaudexError("--shares is empty; give one at least, such as 1.")
