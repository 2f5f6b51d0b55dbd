"""What the systems that learn from images without labels share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor
from torch.optim import SGD, AdamW

from caudex import data, views
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.optim.lars import LARS
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import ImageSpec
from caudex.core.trunk import Trunk
from caudex.data import Batches, Split
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import MAJORITY, accuracy_with_interval, majority_share
from caudex.evaluation.plots.image_tiles import plot_image_rows
from caudex.evaluation.plots.nearest_images import plot_nearest_images
from caudex.evaluation.plots.tsne import plot_tsne
from caudex.evaluation.probing import (
    COLLAPSED_STD,
    feature_spectrum,
    knn_accuracy,
    probe_beside_random_trunk,
    probe_layers,
)
from caudex.evaluation.verdicts import format_gain
from caudex.models.encoder import Encoder, extract_features, update_bn
from caudex.signals import Labels
from caudex.systems.shared import ImageSystem, image_spec, standardise_inputs

OPTIMIZERS = {"adamw": partial(AdamW, fused=True), "sgd": partial(SGD, momentum=0.9, fused=True), "lars": LARS}


@dataclass
class Pretraining(ImageSystem):
    """A system that learns without labels; labels, where there are some, only measure. Each brings its own `signals`.

    `show` says what these make of a few images, floats in [0, 1]: rows of a sheet, by name.
    """

    batch: int = 128
    crop: float = 0.4
    """least area of the random crops, as a share of the image's"""
    colour: float = 0.5
    """strength of the colour jitter where two views are made"""
    optimizer: str = "adamw"
    """adamw; sgd with momentum 0.9; or lars (You et al. 2017), for batches of thousands"""
    off_topic: float | None = None
    """for study: this share of the images are of the second half of the classes, which the trunk is not measured on"""
    all_labels: bool = True
    """`claim` also has the same trunk learn from all labels for as long, as a reference"""

    def signals(self, spec: ImageSpec) -> dict[str, Signal]:
        raise NotImplementedError

    def show(self, model: Encoder, images: Tensor) -> dict[str, Tensor]:
        return {}

    def train(self, run: Run) -> Encoder:
        """Fit the system's learner to every image that is not held out, then probe its layers and a random trunk's."""
        split = self.load_split()
        images = split.train
        if len(images) < 2:
            raise CaudexError(f"{self.data} has one image to learn from; two are the least, thousands are better.")
        spec = self.record_spec(run, split)
        with run.seeded("weights"):
            learner = self.learner(spec)
        standardise_inputs(learner.trunk, images)
        random_trunk = deepcopy(learner.trunk)
        one_view = self.augmentation(spec)
        two_views = views.simclr_augmentation(self.crop, self.colour, self.should_mirror(spec))
        first_needs = next(iter(learner.signals.values())).needs  # the system's own signal keeps the run's seed
        seeds = {"labelled": run.source_seed("labelled"), "unlabelled": run.source_seed("unlabelled")}
        seeds |= {"pairs": run.source_seed("pairs"), first_needs: run.seed}
        sources = {
            "unlabelled": Batches(images, self.batch, seeds["unlabelled"], one_view),
            "pairs": Batches(images, self.batch, seeds["pairs"], two_views, two_views=True),
        }
        if len(split.labelled):
            sources["labelled"] = Batches(split.labelled, self.batch, seeds["labelled"], one_view)
        sources = self.match_sources(learner.signals, **sources)
        self.print_data(run, split)
        fit(learner, sources, **self.budget(1.0), run=run.stage("pretraining"), evaluate=feature_metrics(split))
        model = Encoder(learner, spec)
        update_bn(model.trunk, images)
        update_bn(random_trunk, images)
        run.write_json("results", probe_trunk(run, model.trunk, random_trunk, split))
        self.plot_features(run, model, split)
        return model

    def model(self, spec: ImageSpec) -> Encoder:
        return Encoder(self.learner(spec), spec)

    def learner(self, spec: ImageSpec) -> Learner:
        return self.learner_with(self.with_extra_signals(self.signals(spec), spec), spec)

    def learner_with(self, signals: Mapping[str, Signal], spec: ImageSpec) -> Learner:
        """The trunk with these heads; on half a cosine, weights averaged. Only AdamW's gradients are clipped."""
        optimizer = partial(OPTIMIZERS[self.optimizer], lr=self.lr, weight_decay=self.decay)
        max_grad_norm = 1.0 if self.optimizer == "adamw" else None
        return Learner(self.build_trunk(spec), signals, optimizer, cosine_schedule, max_grad_norm, self.average)

    def load_split(self) -> Split:
        """All labels are kept: no signal sees them. Where fewer than two classes are known, there is nothing to test."""
        split = data.load_images(
            self.data,
            labels=self.labels,
            size=self.size,
            pad=self.pad,
            max_pixels=self.max_pixels,
            seed=self.seed,
            need_labels=False,
        )
        if self.off_topic is not None:
            split = data.with_off_topic(replace(split, unlabelled=split.train), self.off_topic, self.seed)
        if len(split.labelled.labels.unique()) < 2:
            split = replace(split, test=split.test.take(slice(0, 0)))
        return split

    def augmentation(self, spec: ImageSpec) -> views.Compose:
        """Crops, and mirroring: for signals that change images in their own way."""
        crop = views.RandomResizedCrop((self.crop, 1.0))
        return views.Compose((crop, *[views.RandomHorizontalFlip()] * self.should_mirror(spec)))

    def plot_features(self, run: Run, model: Encoder, split: Split) -> None:
        """What the signals make of held-out images, which of them look alike to the trunk, and a map of them."""
        images = (split.test if len(split.test) > 1 else split.train).subsample(600)
        pooled = extract_features(model.trunk, images)["pooled"]
        with run.seeded("shown"):
            training = deepcopy(model).cpu().train()  # turned and holed images want the batch statistics of such
            if rows := self.show(training, images.subsample(8).fetch(slice(None)).float() / 255):
                plot_image_rows(run, "signal-outputs", rows)
        plot_nearest_images(run, images, pooled)
        plot_tsne(run, images, pooled)

    def claim(self, run: Run) -> Claim:
        """A linear probe of the features against that of a random trunk and, as a reference, of one taught by all labels."""
        split = self.load_split()
        if len(split.test) == 0:
            raise CaudexError(
                "there are no labels to probe with; label at least five of each of two classes, or add a folder test/CLASS/."
            )
        self.train(run)
        results = run.read_json("results")
        baselines = {"random trunk": results["random trunk"]["accuracy"]}
        secondary = {
            "20 neighbours": results["20 neighbours"]["accuracy"],
            "best layer": results["best layer"]["accuracy"],
            "best layer, random trunk": results["best layer"]["random"],
            "effective rank": results["spectrum"]["effective rank"],
            "parameters": results["parameters"],
        }
        if self.all_labels:
            flops = run.stage("pretraining").read_json("finished")["flops"]
            layers = probe_layers(
                self.fit_all_labels(run.stage("all-labels"), split, flops), split.labelled, split.test, run.seed
            )
            accuracies = {name: probe.accuracies for name, probe in layers.items()}
            baselines["all labels"] = accuracies["pooled"]["linear"]
            secondary["best layer, all labels"] = max(accuracies.values(), key=held_out_accuracy)["linear"]
        controls = {MAJORITY: majority_share(split.test.labels)}
        return Claim(self.statement, results["linear probe"]["accuracy"], baselines, secondary, controls)

    def fit_all_labels(self, run: Run, split: Split, flops: float) -> Trunk:
        """The same trunk under the same views, taught by all labels with so much compute."""
        spec = image_spec(split)
        with run.seeded("weights"):
            learner = self.learner_with({"labels": Labels(len(spec.classes))}, spec)
        standardise_inputs(learner.trunk, split.train)
        source = Batches(split.labelled, self.batch, run.seed, self.augmentation(spec))
        trunk = fit(learner, {"labels": source}, flops=flops, run=run).averaged[0]
        update_bn(trunk, split.train)
        return trunk

    def kinds_of_results(self) -> tuple:
        return (*super().kinds_of_results(), result_kinds.PretrainingResults)

    def result_rows(self, results: dict) -> list[tuple]:
        """As of every image system; the best layer is named, beside the same one of the random trunk."""
        named = {}
        for name, row in results.items():
            named |= {f"best layer on held-out labels, {row['layer']}" if name == "best layer" else name: row}
            if name == "best layer":
                named[f"random trunk, {row['layer']}"] = accuracy_with_interval(row["random"], row["test_size"])
        return super().result_rows(named)

    def warn(self, results: dict) -> list[str]:
        warnings = []
        gain, random = results.get("gain over the random trunk"), results.get("random trunk", {}).get("accuracy", 0)
        if gain and random < 0.99 and gain["verdict"] != "better":
            words = (
                "a random trunk's features are as good for these classes"
                if gain["gain"] <= 0
                else "no gain over a random trunk is shown"
            )
            if gain["verdict"] == "worse":
                words = "a random trunk's features are better for these classes"
            warnings.append(
                f"{words} ({format_gain(gain, '.1%')}); try more --steps, or compare the signals: `caudex labels-saved`."
            )
        if results["spectrum"]["std"] < COLLAPSED_STD:
            warnings.append(
                "the features have collapsed: nearly all images have the same. Are the images alike? Else try a lower --lr."
            )
        if "linear probe" not in results:
            warnings.append("no labels to test with (two classes need five each), so what was learned is not measured.")
        return warnings

    def check(self) -> None:
        super().check()
        check_range(self, crop=(0.05, 1), colour=(0, 1), off_topic=(0, 1))
        if self.optimizer not in OPTIMIZERS:
            raise CaudexError(f"--optimizer {self.optimizer} is unknown; choose {', '.join(OPTIMIZERS)}.")


def feature_metrics(split: Split) -> Callable[[Learner], dict[str, float]]:
    """For `evaluate` of `fit`: nearest neighbours, and whether the features collapse."""
    sample, labelled, test = split.train.subsample(1000), split.labelled.subsample(2000), split.test.subsample(500)

    def evaluate(learner: Learner) -> dict[str, float]:
        trunk = learner.averaged[0]
        update_bn(trunk, sample)
        metrics = feature_spectrum(extract_features(trunk, sample)["pooled"])
        if len(test):
            pooled, test_pooled = (extract_features(trunk, part)["pooled"] for part in (labelled, test))
            metrics["20 neighbours"] = knn_accuracy(pooled, labelled.labels, test_pooled, test.labels)
        return metrics

    return evaluate


def probe_trunk(run: Run, trunk: Trunk, random_trunk: Trunk, split: Split) -> dict:
    """Probes of each layer beside those of a random trunk, and the spectrum of the features."""
    results = {"parameters": sum(p.numel() for p in trunk.parameters())}
    results |= {"spectrum": feature_spectrum(extract_features(trunk, split.train.subsample(2000))["pooled"])}
    if len(split.test) == 0:
        return results
    print_once(run, f"probing each layer, and those of a random trunk, on {len(split.test):,} test images")
    layers = probe_beside_random_trunk(run, trunk, random_trunk, split.labelled, split.test)
    pooled, best, count = layers[-1], max(layers, key=held_out_accuracy), len(split.test)
    results["linear probe"] = accuracy_with_interval(pooled["linear"], count)
    results["random trunk"] = accuracy_with_interval(pooled["random trunk"], count)
    results["20 neighbours"] = accuracy_with_interval(pooled["neighbours"], count)
    best = {"layer": best["layer"], "random": best["random trunk"], **accuracy_with_interval(best["linear"], count)}
    return results | {"best layer": best, "gain over the random trunk": pooled["gain"]}


def held_out_accuracy(layer: dict) -> float:
    """What the best layer is chosen by: labels that are held out within the known ones; the test has no say."""
    return layer["held out"]
