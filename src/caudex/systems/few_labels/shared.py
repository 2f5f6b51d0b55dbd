"""What the systems that learn from few labelled images share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch.optim import AdamW

from caudex import data, views
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import check_range, load, open_run
from caudex.core.trunk import Trunk
from caudex.core.weights import load_weights
from caudex.data import Batches, Join, Split
from caudex.models.classifier import Classifier
from caudex.models.encoder import recalibrate
from caudex.signals import Labels
from caudex.systems.shared import ImageSystem, check_network, found, mirrored, network, spec_of


@dataclass
class FewLabels(ImageSystem):
    """The settings of systems that learn from few labels."""

    labels_per_class: int | None = None
    """labels to keep of each class, the others are hidden; 0 keeps all; default: 10 of a packaged set, all of your own"""
    draw: int | None = None
    """seed of the draw of these labels, if it is to be another than --seed"""
    magnitude: float = 0.4
    """strength of RandAugment, 0 to 1, two operations an image"""
    dropout: float = 0.4
    """share of the features left out while learning"""
    survival: float = 0.8
    """chance that the last residual branch is kept (stochastic depth)"""
    start: str | None = None
    """begin with the trunk of this run, such as one of simclr, instead of a random one"""


def split(settings: FewLabels) -> Split:
    """The images that the settings name; of a packaged set ten labels a class are kept unless they say otherwise.

    What the run to begin with held out is the test here too, else it would have learned from the test.
    """
    per_class, seed, start = settings.labels_per_class, settings.seed, settings.start
    if per_class is None and settings.data in data.PACKAGED:
        per_class = 10
    while start:
        begun = open_run(start)[0]
        seed, start = begun.seed, getattr(begun, "start", None)
    draw = settings.seed if settings.draw is None else settings.draw
    named = {"labels": settings.labels, "size": settings.size, "seed": seed, "draw": draw}
    return data.load_images(settings.data, labels_per_class=per_class or None, **named)


def testable(split: Split) -> None:
    """Raises CaudexError where nothing was held out, so that no claim can be measured."""
    if len(split.test) == 0:
        raise CaudexError(
            "there are no images to test on; label at least five of each class, or add a folder test/CLASS/."
        )


def noise(settings: FewLabels, spec: ImageSpec) -> views.Compose:
    """RandAugment, and mirroring."""
    augment = views.RandAugment(2, settings.magnitude)
    return views.Compose([views.Flip()] * mirrored(settings, spec) + [augment] * (settings.magnitude > 0))


def learner(settings: FewLabels, spec: ImageSpec, width: int | None = None) -> Learner:
    """A residual trunk with a head for the labels and those of `--also`; AdamW on half a cosine, weights averaged."""
    trunk = network(settings, spec, width, settings.dropout, settings.survival)
    signals = settings.joined({"labels": Labels(len(spec.classes))}, spec)
    optimizer = partial(AdamW, lr=settings.lr, weight_decay=settings.decay, fused=True)
    return Learner(trunk, signals, optimizer, cosine_schedule, average=settings.average)


def from_labels(run: Run, settings: FewLabels, split: Split, budget: dict) -> Classifier:
    """A new network, taught by the labelled images and the signals of `--also`."""
    spec = spec_of(split)
    with run.seeded("weights"):
        made = learner(settings, spec)
    source = Batches(split.labelled, settings.batch, run.seed, noise(settings, spec))
    return teach(run, settings, split, made, source, budget)


def teach(
    run: Run, settings: FewLabels, split: Split, made: Learner, labelled: Batches | Join, budget: dict
) -> Classifier:
    """Fit the learner: labels from `labelled`, the further signals from labelled or unlabelled images as they need."""
    spec = spec_of(split)
    out = f", {len(split.skipped):,} unreadable ones left out" if split.skipped else ""
    print_once(run, f"{found(spec)}{out}")
    every = split.unlabelled if len(split.unlabelled) else split.labelled
    if settings.start:
        begin(made.trunk, settings)
    else:
        made.trunk.standardise.measure(every.some(2000).fetch(slice(None)))
    seen, two = noise(settings, spec), views.contrastive(mirror=mirrored(settings, spec))
    further = settings.feed(
        {name: signal for name, signal in made.signals.items() if name != "labels"},
        labelled=Batches(split.labelled, settings.batch, run.seed, seen),
        unlabelled=Batches(every, settings.batch, run.seed, seen),
        pairs=Batches(every, settings.batch, run.seed, two, pairs=True),
    )
    curve = split.test.some(1000)

    def classifier(learner: Learner) -> Classifier:
        if further:  # turned and holed images went through the trunk too
            recalibrate(learner.averaged[0], every)
        return Classifier(learner, spec)

    evaluate = (lambda learner: {"accuracy": classifier(learner).accuracy(curve)}) if len(curve) else None
    return classifier(fit(made, {"labels": labelled} | further, **budget, run=run, evaluate=evaluate))


def begin(trunk: Trunk, settings: FewLabels) -> None:
    """Take over the weights of the trunk of another run. Raises CaudexError where that is of another size."""
    start, there = settings.start, open_run(settings.start)[0]
    weights = load(start).trunk.state_dict()
    if "standardise.mean" not in weights:
        raise CaudexError(f"--start {start} holds no trunk for images; begin with a run that learned from some.")
    if (its := len(weights["standardise.mean"])) != (own := len(trunk.standardise.mean)):
        kinds = {1: "grey", 3: "colour"}
        raise CaudexError(
            f"--start {start} learned from {kinds[its]} images, these are {kinds[own]}; begin with a run on such."
        )
    names = [name for name in ("trunk", "width", "depth", "stride") if hasattr(there, name)]
    if other := [name for name in names if getattr(there, name) != getattr(settings, name)]:
        flags = " ".join(f"--{name} {getattr(there, name)}" for name in other)
        raise CaudexError(f"--start {start} has another network; add {flags}.")
    load_weights(trunk, weights)


def check(settings: FewLabels) -> None:
    """Raises CaudexError for a setting out of range."""
    check_network(settings)
    endless = float("inf")
    check_range(settings, labels_per_class=(0, endless), draw=(0, endless), magnitude=(0, 1))
    check_range(settings, dropout=(0, 0.9), survival=(0.1, 1))
    if settings.trunk == "resnet50" and (settings.dropout, settings.survival) != (0, 1):
        raise CaudexError("--trunk resnet50 has neither dropout nor stochastic depth; add --dropout 0 --survival 1.")
