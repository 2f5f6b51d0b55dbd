"""What the systems that learn from images without labels share."""

from __future__ import annotations

from collections.abc import Mapping
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
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import ImageSpec
from caudex.core.system import System, check_range
from caudex.core.trunk import Trunk
from caudex.data import Batches, Split
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import accuracy_with_interval
from caudex.evaluation.plots.image_grid import plot_image_grid
from caudex.evaluation.plots.nearest_images import plot_nearest_images
from caudex.evaluation.plots.tsne import plot_tsne
from caudex.evaluation.probing import COLLAPSED_STD, feature_spectrum, knn_accuracy, probe_layers
from caudex.models.encoder import Encoder, features, recalibrate
from caudex.signals import Labels
from caudex.systems.shared import ImageSystem, check_network, found, mirrored, network, record_spec, spec_of

OPTIMIZERS = {"adamw": partial(AdamW, fused=True), "sgd": partial(SGD, momentum=0.9, fused=True), "lars": LARS}


@dataclass
class Pretraining(ImageSystem, System):
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
    all_labels: bool = True
    """`claim` also has the same trunk learn from all labels for as long, as a reference"""

    def signals(self, spec: ImageSpec) -> dict[str, Signal]:
        raise NotImplementedError

    def show(self, model: Encoder, images: Tensor) -> dict[str, Tensor]:
        return {}

    def learner(self, spec: ImageSpec) -> Learner:
        return learner(self, spec, self.joined(self.signals(spec), spec))

    def train(self, run: Run) -> Encoder:
        """Fit the system's learner to every image that is not held out, then probe its layers and a random trunk's."""
        images = split(self)
        spec = record_spec(run, images)
        print_once(run, found(spec))
        with run.seeded("weights"):
            made = self.learner(spec)
        every = images.every
        if len(every) < 2:
            raise CaudexError(f"{self.data} has one image to learn from; two are the least, thousands are better.")
        made.trunk.standardise.measure(every.some(2000).fetch(slice(None)))
        random = deepcopy(made.trunk)  # as it was before it learned
        seen, two = mild(self, spec), views.contrastive(self.crop, self.colour, mirrored(self, spec))
        offered = {
            "unlabelled": Batches(every, self.batch, run.seed, seen),
            "pairs": Batches(every, self.batch, run.seed, two, pairs=True),
        }
        if len(images.labelled):
            offered["labelled"] = Batches(images.labelled, self.batch, run.seed, seen)
        sources = self.feed(made.signals, **offered)
        fit(made, sources, **self.budget(1.0), run=run.stage("pretraining"), evaluate=watch(images))
        model = Encoder(made, spec)
        recalibrate(model.trunk, every)
        recalibrate(random, every)
        run.write_json("results", measured(run, model.trunk, random, images))
        draw(self, run, model, images)
        return model

    def model(self, spec: ImageSpec) -> Encoder:
        return Encoder(self.learner(spec), spec)

    def claim(self, run: Run) -> Claim:
        """A linear probe of the features against that of a random trunk and, as a reference, of one taught by all labels."""
        images = split(self)
        if len(images.test) == 0:
            raise CaudexError(
                "there are no labels to probe with; label at least five of each of two classes, or add a folder test/CLASS/."
            )
        self.train(run)
        found, best = run.read_json("results"), run.read_json("results")["best layer"]
        against = {"random trunk": found["random trunk"]["accuracy"]}
        further = {
            "20 neighbours": found["20 neighbours"]["accuracy"],
            "best layer": best["accuracy"],
            "best layer, random trunk": best["random"],
            "effective rank": found["spectrum"]["effective rank"],
            "parameters": found["parameters"],
        }
        if self.all_labels:
            spent = run.stage("pretraining").read_json("finished")["flops"]
            taught = taught_by_labels(self, run.stage("all-labels"), images, spent)
            its = probe_layers(taught, images.labelled, images.test)
            against["all labels"] = its["pooled"]["linear"]
            further["best layer, all labels"] = its[chosen(its)]["linear"]
        return Claim(self.statement, found["linear probe"]["accuracy"], against, further)

    def result_rows(self, results: dict) -> list[tuple]:
        """As of every system; the best layer is named, beside the same one of the random trunk."""
        found = {}
        for name, row in results.items():
            found |= {f"best layer on held-out labels, {row['layer']}" if name == "best layer" else name: row}
            if name == "best layer":
                found[f"random trunk, {row['layer']}"] = accuracy_with_interval(row["random"], row["test_size"])
        return super().result_rows(found)

    def warn(self, results: dict) -> list[str]:
        said = []
        own, random = (results.get(name, {}).get("accuracy", 0) for name in ("linear probe", "random trunk"))
        if own <= random < 0.99 and random > 0:
            said.append(
                "a random trunk's features are as good for these classes; try more --steps, or compare the signals: `caudex labels-saved`."
            )
        elif 0 < random < 0.99 and results["linear probe"]["low"] <= random:
            said.append(
                "no gain over a random trunk is shown: the interval reaches down to it; `caudex claim` measures several seeds."
            )
        if results["spectrum"]["std"] < COLLAPSED_STD:
            said.append(
                "the features have collapsed: nearly all images have the same. Are the images alike? Else try a lower --lr."
            )
        if "linear probe" not in results:
            said.append("no labels to test with (two classes need five each), so what was learned is not measured.")
        return said

    def check(self) -> None:
        super().check()
        check_network(self)
        check_range(self, crop=(0.05, 1), colour=(0, 1))
        if self.optimizer not in OPTIMIZERS:
            raise CaudexError(f"--optimizer {self.optimizer} is unknown; choose {', '.join(OPTIMIZERS)}.")


def split(settings: Pretraining) -> Split:
    """All labels are kept: no signal sees them. Where fewer than two classes are known, there is nothing to test."""
    found = data.load_images(
        settings.data, labels=settings.labels, size=settings.size, seed=settings.seed, need_labels=False
    )
    if len(found.labelled.labels.unique()) < 2:
        found = replace(found, test=found.test.take(slice(0, 0)))
    return found


def learner(settings: Pretraining, spec: ImageSpec, signals: Mapping[str, Signal]) -> Learner:
    """The trunk with these heads; on half a cosine, weights averaged. Only AdamW's gradients are clipped."""
    optimizer = partial(OPTIMIZERS[settings.optimizer], lr=settings.lr, weight_decay=settings.decay)
    clip = 1.0 if settings.optimizer == "adamw" else None
    return Learner(network(settings, spec), signals, optimizer, cosine_schedule, clip, settings.average)


def mild(settings: Pretraining, spec: ImageSpec) -> views.Compose:
    """Crops, and mirroring: for signals that change images in their own way."""
    return views.Compose((views.ResizedCrop((settings.crop, 1.0)), *[views.Flip()] * mirrored(settings, spec)))


def draw(settings: Pretraining, run: Run, model: Encoder, images: Split) -> None:
    """What the signals make of held-out images, which of them look alike to the trunk, and a map of them."""
    seen = (images.test if len(images.test) > 1 else images.every).some(600)
    made = features(model.trunk, seen)["pooled"]
    with run.seeded("shown"):
        learned = deepcopy(model).cpu().train()  # turned and holed images want the batch statistics of such
        if rows := settings.show(learned, seen.some(8).fetch(slice(None)).float() / 255):
            plot_image_grid(run, "signal-outputs", rows)
    plot_nearest_images(run, seen, made)
    plot_tsne(run, seen, made)


def watch(images: Split):
    """What ten looks at a training show: nearest neighbours, and whether the features collapse."""
    sample, known, test = images.every.some(1000), images.labelled.some(2000), images.test.some(500)

    def evaluate(made: Learner) -> dict[str, float]:
        trunk = made.averaged[0]
        recalibrate(trunk, sample)
        seen = feature_spectrum(features(trunk, sample)["pooled"])
        if len(test):
            here, there = (features(trunk, part)["pooled"] for part in (known, test))
            seen["20 neighbours"] = knn_accuracy(here, known.labels, there, test.labels)
        return seen

    return evaluate


def measured(run: Run, taught: Trunk, random: Trunk, images: Split) -> dict:
    """Probes of each layer beside those of a random trunk, and the spectrum of the features."""
    results = {"parameters": sum(p.numel() for p in taught.parameters())}
    results |= {"spectrum": feature_spectrum(features(taught, images.every.some(2000))["pooled"])}
    if len(images.test) == 0:
        return results
    print_once(run, f"probing each layer, and those of a random trunk, on {len(images.test):,} test images")
    with run.counting(taught, random):
        own, its = (probe_layers(each, images.labelled, images.test) for each in (taught, random))
    run.table("layers", [{"layer": layer, **own[layer], "random trunk": its[layer]["linear"]} for layer in own])
    count = len(images.test)
    for name, layers in {"linear probe": own, "random trunk": its}.items():
        results[name] = accuracy_with_interval(layers["pooled"]["linear"], count)
    results["20 neighbours"] = accuracy_with_interval(own["pooled"]["neighbours"], count)
    best = chosen(own)
    found = {"layer": best, "random": its[best]["linear"], **accuracy_with_interval(own[best]["linear"], count)}
    return results | {"best layer": found}


def chosen(layers: dict) -> str:
    """The layer that is best on labels which are held out within the known ones; the test has no say."""
    return max(layers, key=lambda layer: layers[layer]["held out"])


def taught_by_labels(settings: Pretraining, run: Run, images: Split, flops: float) -> Trunk:
    """The same trunk under the same views, taught by all labels with so much compute."""
    spec = spec_of(images)
    with run.seeded("weights"):
        made = learner(settings, spec, {"labels": Labels(len(spec.classes))})
    made.trunk.standardise.measure(images.every.some(2000).fetch(slice(None)))
    source = Batches(images.labelled, settings.batch, run.seed, mild(settings, spec))
    taught = fit(made, {"labels": source}, flops=flops, run=run).averaged[0]
    recalibrate(taught, images.every)
    return taught
