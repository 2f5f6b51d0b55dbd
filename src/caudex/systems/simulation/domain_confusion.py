"""domain-confusion: from a simulator to reality by features that cannot tell the two apart."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import msgspec
import torch
from torch import Tensor
from torch.optim import SGD

from caudex import signals, views
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.data import Batches, Domains, ImageSet, Join, Split, load_domains
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import (
    MAJORITY,
    accuracy_gain,
    majority_share,
    majority_warning,
)
from caudex.evaluation.domain_gap import domain_rows, evaluate_on_target, gap_closed
from caudex.evaluation.domain_probe import describe_confusion, discriminator_accuracy, probe_domains
from caudex.evaluation.plots.domains import plot_accuracies, plot_domain_features
from caudex.evaluation.plots.image_tiles import plot_image_rows
from caudex.models.encoder import extract_features, update_bn
from caudex.models.image_classifier import ImageClassifier
from caudex.signals.domain_confusion import KINDS
from caudex.systems.shared import ImageSystem, image_spec, standardise_inputs
from caudex.trunks.layers import HalvesBatchNorm2d

CONFUSION, SOURCE_ONLY, BOUND = "domain confusion", "source only", "target labels"
RANDOMISED, BOTH = "randomised looks", "randomised looks and domain confusion"
STATISTICS = "source only, batch statistics of the target"
TUNED = {
    SOURCE_ONLY: {"decay": 1e-3},
    RANDOMISED: {"lr": 0.3, "decay": 1e-3},
    BOTH: {"lr": 0.3},
    BOUND: {"lr": 0.3},
}
"""settings beside the defaults, by arm; all chosen by eight trials of seed 100 by the loss on held-out images of the source (of the target for
the bound): results/domain-confusion-tune-digits.csv"""
TRIALS, TUNING_SEEDS = 8, (100,)


@dataclass
class DomainConfusion(ImageSystem):
    """Learn from a simulator's labelled images to classify real ones that nobody labelled (Ganin et al. 2016; Tzeng et al. 2015, 2017).

    Trains with domain confusion, then from the source alone for the same compute, then from the target's labels, where there are some,
    as the bound.
    laptop: a minute of one thread; fonts to scikit-learn's digits, 5 seeds: 44.7 +- 10.8% (source only 35.6 +- 5.6): not shown; on
    randomised looks 81.0 +- 3.0 (these alone 69.6 +- 2.3).
    """

    steps: int = 600
    """optimiser steps of the network with domain confusion; the others have the same compute"""
    source: str = "font-digits"
    """the simulator's labelled images: font-digits, random-font-digits, a folder of class folders, a .csv (path,label) or an .npz"""
    target: str = "digits"
    """reality's images: digits, mnist, a folder or an .npz; their labels, where there are some, only measure"""
    random_source: str | None = None
    """for `claim`: the same simulator with random looks; default: random-font-digits where the source is font-digits"""
    kind: str = "gradient-reversal"
    """gradient-reversal (DANN), uniform (Tzeng et al. 2015) or inverted (labels, ADDA)"""
    strength: float = 1.0
    """weight of the confusion; gradient-reversal comes to it slowly"""
    layer: str = "pooled"
    """what the discriminator is given: the pooled features, or stage1, stage2 or stage3 of the small trunk"""
    separate_statistics: bool = True
    """normalise the images of each domain by batch statistics of their own; else by those of both together"""
    bound: bool = True
    """also learn from the target's labels, where there are some"""
    labels: str | None = None
    """a CSV file path,label for the images of the source's folder"""
    batch: int = 64
    """images of each domain a step"""
    lr: float = 0.1
    """learning rate of SGD with momentum 0.9 where domains are confused; it falls as (1 + 10 p) ** -0.75 with the progress p"""
    decay: float = 1e-4
    """weight decay there; what is trained beside it has a rate and decay that were chosen by as many trials"""

    data: ClassVar[str] = ""  # no setting here: `source` and `target` take its place
    scales: ClassVar = {"tiny": {"steps": 30, "width": 8}}
    accepts: ClassVar = ()
    results_type: ClassVar = result_kinds.DomainResults
    measure: ClassVar = "accuracy on the target"
    statement: ClassVar = "domain confusion makes a classifier that learned from a simulator better on real images"

    def train(self, run: Run) -> ImageClassifier:
        domains = self.load(self.source)
        source, target = domains
        run.write_spec(spec_of(domains))
        run.table("skipped", [{"file": file, "reason": reason} for file, reason in source.skipped + target.skipped])
        self.print_data(run, source)
        print_once(
            run, f"target: {len(target.train):,} images without labels to learn from, {len(target.test):,} to test on"
        )
        rows = {
            name: part.subsample(12).fetch(slice(None)) for name, part in zip(domains._fields, training_images(domains))
        }
        plot_image_rows(run, "domains", rows)
        names = [CONFUSION, SOURCE_ONLY, *[BOUND] * (self.bound and len(target.labelled) > 0)]
        models = self.fit_arms(run, names, domains)
        run.write_json("results", self.evaluate(run, models, domains))
        return models[CONFUSION]

    def load(self, source: str) -> Domains:
        options = {"labels": self.labels, "size": self.size, "pad": self.pad, "max_pixels": self.max_pixels}
        domains = load_domains(source, self.target, seed=self.seed, **options)
        self.learner(spec_of(domains))  # a layer that the trunk lacks is refused before anything is printed
        return domains

    def fit_arms(
        self, run: Run, names: Sequence[str], domains: Domains, random_domains: Domains | None = None
    ) -> dict[str, ImageClassifier]:
        """A network for each name: the first by its share of the budget, each other for the same compute."""
        arms = {CONFUSION: domains, SOURCE_ONLY: (domains.source, None), BOUND: (domains.target, None)}
        if random_domains:
            arms |= {RANDOMISED: (random_domains.source, None), BOTH: random_domains}
        models, budget = {}, self.budget(1 / len(names))
        for name in names:
            source, target = arms[name]
            flops_before = run.compute.flops
            system = replace(self, **TUNED.get(name, {}))
            models[name] = system.fit_arm(run.stage(name.replace(" ", "-")), source, target and target.train, **budget)
            budget = {"flops": run.compute.flops - flops_before} if len(models) == 1 else budget
        return models

    def fit_arm(self, run: Run, source: Split, target: ImageSet | None = None, **budget) -> ImageClassifier:
        """A new network learns the labels of the source and, where there is a target, that the domains cannot be told apart."""
        spec = image_spec(source)
        with run.seeded("weights"):
            learner = self.learner(spec, target is not None)
        standardise_inputs(learner.trunk, source.labelled)
        view = views.Compose([views.RandomHorizontalFlip()] * self.should_mirror(spec))
        batches = Batches(source.labelled, self.batch, run.seed, view)
        if target is not None:  # the rows of its images have no label: the head of labels leaves them out
            batches = Join(batches, Batches(target, self.batch, run.source_seed("target"), view))

        def evaluate(learner: Learner) -> dict[str, float]:
            classifier = ImageClassifier(learner, spec)
            self.take_statistics(classifier, source.labelled)
            return {"accuracy on the source": classifier.accuracy(source.test.subsample(1000))}

        evaluate = evaluate if len(source.test) else None
        fit(learner, dict.fromkeys(learner.signals, batches), **budget, run=run, evaluate=evaluate)
        classifier = ImageClassifier(learner, spec)
        if target is not None:
            self.take_statistics(classifier, target)
        return classifier

    def learner(self, spec: ImageSpec, confused: bool = True) -> Learner:
        """A trunk with the head of the labels and the discriminator, by the paper's optimizer and schedule (section 5.2.2)."""
        trunk, heads = self.build_trunk(spec), {"labels": signals.Labels(len(spec.classes))}
        if confused:
            layer = None if self.layer == "pooled" else self.layer
            heads["domain-confusion"] = signals.DomainConfusion(self.kind, self.strength, layer)
        if confused and self.separate_statistics:
            HalvesBatchNorm2d.convert(trunk)
        optimizer = partial(SGD, lr=self.lr, momentum=0.9, weight_decay=self.decay)
        return Learner(trunk, heads, optimizer, annealed_rate, average=self.average)

    def model(self, spec: ImageSpec) -> ImageClassifier:
        return ImageClassifier(self.learner(spec), spec)

    def take_statistics(self, classifier: ImageClassifier, images: ImageSet) -> None:
        """Where each domain has its own batch statistics, the network predicts with those of `images`."""
        if self.separate_statistics and "domain-confusion" in classifier.signals:
            update_bn(classifier.trunk, images)

    def evaluate(self, run: Run, models: dict[str, ImageClassifier], domains: Domains) -> dict:
        """results.json: on the target's test images each arm's accuracy; of the first two, what tells the domains apart."""
        test, features = domains.target.test, {}
        arms = {name: evaluate_on_target(model, test) for name, model in models.items()}
        for name in (CONFUSION, SOURCE_ONLY):
            features[name] = self.domain_features(models[name], domains)
            arms[name] |= probe_domains(*features[name], self.seed)
        discriminator = models[CONFUSION].signals["domain-confusion"].discriminator
        arms[CONFUSION]["discriminator"] = discriminator_accuracy(discriminator, *features[CONFUSION])
        plot_domain_features(run, features)
        results = {"arms": arms, "confusion": describe_confusion(arms[CONFUSION])}
        if len(test):
            model = deepcopy(models[SOURCE_ONLY])
            update_bn(model.trunk, domains.target.train)
            arms[STATISTICS] = evaluate_on_target(model, test)
            results["gain"] = accuracy_gain(models[CONFUSION], models[SOURCE_ONLY], test) or None
            results["gap_closed"] = gap_closed(arms, CONFUSION, SOURCE_ONLY, BOUND)
            plot_accuracies(run, arms, SOURCE_ONLY, BOUND)
        return results

    @torch.no_grad()
    def domain_features(self, classifier: ImageClassifier, domains: Domains) -> tuple[Tensor, Tensor]:
        """Of training images of the source and of the target, [N, W] and [M, W], those that the discriminator is given."""
        features = []
        for images in training_images(domains):
            self.take_statistics(classifier, images)
            features.append(extract_features(classifier.trunk, images.subsample(1000))[self.layer])
        return tuple(features)

    def result_rows(self, results: dict) -> list[tuple]:
        return domain_rows(results, BOUND)

    def warn(self, results: dict) -> list[str]:
        gains_nothing = (results.get("gain") or {}).get("verdict") in ("worse", "not shown")
        end = ", and on the target nothing is shown to be gained" if gains_nothing else ""
        name, arm = next(iter(results["arms"].items()))
        return [f"{results['confusion']}{end}.", *majority_warning(name, arm)]

    def claim(self, run: Run) -> Claim:
        domains, random_source = self.load(self.source), self.random_source
        test = domains.target.test
        if not len(test) or not len(domains.target.labelled):
            raise CaudexError(
                f"{self.target} has too few labels to measure with; put some into {self.target}/labelled/CLASS/, five of each class at least."
            )
        if random_source is None and self.source == "font-digits":
            random_source = "random-font-digits"
        random_domains = self.load(random_source) if random_source else None
        if random_domains and not is_same_task(random_domains.source.labelled, domains.source.labelled):
            raise CaudexError(
                f"--random-source {random_source} has not the classes of {self.source}, or is in colour where that is grey; give the same "
                "simulator's images with other looks."
            )
        names = [CONFUSION, SOURCE_ONLY, *[RANDOMISED, BOTH] * bool(random_domains), BOUND]
        models = self.fit_arms(run, names, domains, random_domains)
        results = self.evaluate(run, models, domains)
        run.write_json("results", results)
        arms = results["arms"]
        if results["gap_closed"] is None:
            raise CaudexError(
                f"there is no gap to close: {SOURCE_ONLY} has {arms[SOURCE_ONLY]['accuracy']:.1%} of the target, {BOUND} "
                f"{arms[BOUND]['accuracy']:.1%}. Give a harder target, or more --steps."
            )
        accuracies = {name: arms[name]["accuracy"] for name in (SOURCE_ONLY, STATISTICS, *names[2:])}
        metrics = {
            f"gap closed by {name}": gap_closed(arms, name, SOURCE_ONLY, BOUND)
            for name in (CONFUSION, STATISTICS, *names[2:-1])
        }
        metrics |= {
            f"domains told by a new discriminator, {name}": arms[name]["probe"] for name in (CONFUSION, SOURCE_ONLY)
        }
        if random_domains:
            metrics["gain of domain confusion with randomised looks"] = (
                arms[BOTH]["accuracy"] - arms[RANDOMISED]["accuracy"]
            )
        metrics["domains told by its own discriminator"] = arms[CONFUSION]["discriminator"]
        controls, trials = {MAJORITY: majority_share(test.labels)}, dict.fromkeys(("score", *accuracies), TRIALS)
        return Claim(self.statement, arms[CONFUSION]["accuracy"], accuracies, metrics, controls, trials, TUNING_SEEDS)

    def check(self) -> None:
        super().check()
        check_range(self, strength=(0, 1000))
        if self.kind not in KINDS:
            raise CaudexError(f"--kind {self.kind} is unknown; choose {', '.join(KINDS)}.")


def annealed_rate(progress: float) -> float:
    """The factor on the learning rate: (1 + 10 p) ** -0.75 (Ganin et al. 2016, section 5.2.2)."""
    return (1 + 10 * progress) ** -0.75


def spec_of(domains: Domains) -> ImageSpec:
    """That of the source; what is predicted is read like the target."""
    pixel_range = domains.target.train.image_format.pixel_range
    return msgspec.structs.replace(image_spec(domains.source), pixel_range=pixel_range)


def is_same_task(images: ImageSet, others: ImageSet) -> bool:
    return (images.classes, images.shape) == (others.classes, others.shape)


def training_images(domains: Domains) -> tuple[ImageSet, ImageSet]:
    return domains.source.labelled, domains.target.train
