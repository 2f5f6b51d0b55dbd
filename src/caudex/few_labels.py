"""What the systems that learn from few labelled pictures share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch.optim import AdamW

from caudex import data, trunks, views
from caudex.classifier import Classifier
from caudex.data import Batches, Join, Split
from caudex.data.decode import far_off
from caudex.encoder import recalibrate
from caudex.errors import CaudexError
from caudex.learner import Learner, cosine
from caudex.run import Run
from caudex.screen import say
from caudex.signals import Labels
from caudex.system import inside, load, opened
from caudex.training import fit, restore

TRUNKS = ("small", "resnet50")


@dataclass
class OnPictures:
    """The settings of systems that learn from pictures: fields only, so that what a system does stands in its file."""

    data: str = "digits"
    """digits, patches, fashion-mnist, a folder (labelled/CLASS/, unlabelled/), an .npz, a .csv or hf:NAME"""
    labels: str | None = None
    """a CSV file path,label for the pictures of the folder; what it does not name is unlabelled"""
    size: int = 0
    """side of the pictures in pixels; 0 chooses, from 16 to 64"""
    batch: int = 80
    """pictures a step"""
    mirror: bool | None = None
    """also mirror pictures at random; default: colour pictures only"""
    trunk: str = "small"
    """small: a residual net of three stages; resnet50: the publications' (He et al. 2016), for large pictures"""
    width: int = 16
    """channels of the first stage; 64 in the published resnet50"""
    depth: int = 1
    """residual blocks in each of three stages of the small trunk"""
    stride: int = 2
    """of the small trunk's first convolution; 1 sees finer detail and costs four times as much"""
    lr: float = 3e-3
    """learning rate"""
    decay: float = 0.05
    """weight decay"""
    average: float = 0.99
    """decay of the averaged weights that label and predict"""

    feeds: ClassVar = ("labelled", "unlabelled", "pairs")


@dataclass
class FewLabels(OnPictures):
    """The settings of systems that learn from few labels."""

    labels_per_class: int | None = None
    """labels to keep of each class, the others are hidden; 0 keeps all; default: 10 of a packaged set, all of your own"""
    draw: int | None = None
    """seed of the draw of these labels, if it is to be another than --seed"""
    magnitude: float = 0.4
    """strength of RandAugment, 0 to 1, two operations a picture"""
    dropout: float = 0.4
    """share of the features left out while learning"""
    survival: float = 0.8
    """chance that the last residual branch is kept (stochastic depth)"""
    start: str | None = None
    """begin with the trunk of this run, such as one of simclr, instead of a random one"""


def split(settings: FewLabels) -> Split:
    """The pictures that the settings name; of a packaged set ten labels a class are kept unless they say otherwise.

    What the run to begin with held out is the test here too, else it would have learned from the test.
    """
    per_class, seed, start = settings.labels_per_class, settings.seed, settings.start
    if per_class is None and settings.data in data.PACKAGED:
        per_class = 10
    while start:
        begun = opened(start)[0]
        seed, start = begun.seed, getattr(begun, "start", None)
    draw = settings.seed if settings.draw is None else settings.draw
    named = {"labels": settings.labels, "size": settings.size, "seed": seed, "draw": draw}
    return data.pictures(settings.data, labels_per_class=per_class or None, **named)


def testable(split: Split) -> None:
    """Raises CaudexError where nothing was held out, so that no claim can be measured."""
    if len(split.test) == 0:
        raise CaudexError(
            "there are no pictures to test on; label at least five of each class, or add a folder test/CLASS/."
        )


def facts_of(split: Split) -> dict:
    """What must be known to rebuild a classifier without its data."""
    columns = {name: list(classes) for name, (_, classes) in split.labelled.columns.items()}
    counts = {"labelled": len(split.labelled), "unlabelled": len(split.unlabelled), "test": len(split.test)}
    shape = list(split.labelled.shape)
    return {"classes": list(split.labelled.classes), "shape": shape, "columns": columns, "counts": counts}


def noted(run: Run, split: Split) -> dict:
    """The facts of the split, kept; what could not be read; and a word on pictures of which much was cut away."""
    facts = facts_of(split)
    run.keep("facts", facts)
    run.table("skipped", [{"file": file, "reason": reason} for file, reason in split.skipped])
    parts = (split.labelled, split.unlabelled, split.test)
    names = (part.name(i) for part in parts for i in range(len(part)))
    if said := far_off(names, torch.cat([part.cut for part in parts]), split.labelled.shape):
        say(run, said)
    return facts


def found(facts: dict) -> str:
    """What there is to learn from, in words."""
    counts = ", ".join(f"{count:,} {part}" for part, count in facts["counts"].items() if count or facts["classes"])
    classes = f"{len(facts['classes'])} classes; " if facts["classes"] else ""
    return f"{classes}{counts} pictures of {facts['shape'][1]} x {facts['shape'][2]}"


def mirrored(settings: OnPictures, facts: dict) -> bool:
    """Whether pictures may be mirrored: where it is asked for, or they are in colour."""
    return facts["shape"][0] == 3 if settings.mirror is None else settings.mirror


def noise(settings: FewLabels, facts: dict) -> views.Compose:
    """RandAugment, and mirroring."""
    augment = views.RandAugment(2, settings.magnitude)
    return views.Compose([views.Flip()] * mirrored(settings, facts) + [augment] * (settings.magnitude > 0))


def network(
    settings: OnPictures, facts: dict, width: int | None = None, dropout: float = 0.0, survival: float = 1.0
) -> trunks.Trunk:
    """The trunk that the settings name."""
    channels, side, width = facts["shape"][0], min(facts["shape"][1:]), width or settings.width
    if settings.trunk == "resnet50":
        return trunks.ResNet50(channels, width / 64, small=side <= 64)
    return trunks.ResNet(channels, width, settings.depth, dropout, survival, stride=settings.stride)


def learner(settings: FewLabels, facts: dict, width: int | None = None) -> Learner:
    """A residual trunk with a head for the labels and those of `--also`; AdamW on half a cosine, weights averaged."""
    trunk = network(settings, facts, width, settings.dropout, settings.survival)
    signals = settings.joined({"labels": Labels(len(facts["classes"]))}, facts)
    optimizer = partial(AdamW, lr=settings.lr, weight_decay=settings.decay, fused=True)
    return Learner(trunk, signals, optimizer, cosine, average=settings.average)


def from_labels(run: Run, settings: FewLabels, split: Split, budget: dict) -> Classifier:
    """A new network, taught by the labelled pictures and the signals of `--also`."""
    facts = facts_of(split)
    with run.seeded("weights"):
        made = learner(settings, facts)
    source = Batches(split.labelled, settings.batch, run.seed, noise(settings, facts))
    return teach(run, settings, split, made, source, budget)


def teach(
    run: Run, settings: FewLabels, split: Split, made: Learner, labelled: Batches | Join, budget: dict
) -> Classifier:
    """Fit the learner: labels from `labelled`, the further signals from labelled or unlabelled pictures as they need."""
    facts = facts_of(split)
    out = f", {len(split.skipped):,} unreadable ones left out" if split.skipped else ""
    say(run, f"{found(facts)}{out}")
    every = split.unlabelled if len(split.unlabelled) else split.labelled
    if settings.start:
        begin(made.trunk, settings)
    else:
        made.trunk.standardise.measure(every.some(2000).fetch(slice(None)))
    seen, two = noise(settings, facts), views.contrastive(mirror=mirrored(settings, facts))
    further = settings.feed(
        {name: signal for name, signal in made.signals.items() if name != "labels"},
        labelled=Batches(split.labelled, settings.batch, run.seed, seen),
        unlabelled=Batches(every, settings.batch, run.seed, seen),
        pairs=Batches(every, settings.batch, run.seed, two, pairs=True),
    )
    curve = split.test.some(1000)

    def classifier(learner: Learner) -> Classifier:
        if further:  # turned and holed pictures went through the trunk too
            recalibrate(learner.averaged[0], every)
        return Classifier(learner, facts)

    evaluate = (lambda learner: {"accuracy": classifier(learner).accuracy(curve)}) if len(curve) else None
    return classifier(fit(made, {"labels": labelled} | further, **budget, run=run, evaluate=evaluate))


def begin(trunk: trunks.Trunk, settings: FewLabels) -> None:
    """Take over the weights of the trunk of another run. Raises CaudexError where that is of another size."""
    start, there = settings.start, opened(settings.start)[0]
    weights = load(start).trunk.state_dict()
    if "standardise.mean" not in weights:
        raise CaudexError(f"--start {start} holds no trunk for pictures; begin with a run that learned from some.")
    if (its := len(weights["standardise.mean"])) != (own := len(trunk.standardise.mean)):
        kinds = {1: "grey", 3: "colour"}
        raise CaudexError(
            f"--start {start} learned from {kinds[its]} pictures, these are {kinds[own]}; begin with a run on such."
        )
    names = [name for name in ("trunk", "width", "depth", "stride") if hasattr(there, name)]
    if other := [name for name in names if getattr(there, name) != getattr(settings, name)]:
        flags = " ".join(f"--{name} {getattr(there, name)}" for name in other)
        raise CaudexError(f"--start {start} has another network; add {flags}.")
    restore(trunk, weights)


def check(settings: FewLabels) -> None:
    """Raises CaudexError for a setting out of range."""
    check_network(settings)
    endless = float("inf")
    inside(settings, labels_per_class=(0, endless), draw=(0, endless), magnitude=(0, 1))
    inside(settings, dropout=(0, 0.9), survival=(0.1, 1))
    if settings.trunk == "resnet50" and (settings.dropout, settings.survival) != (0, 1):
        raise CaudexError("--trunk resnet50 has neither dropout nor stochastic depth; add --dropout 0 --survival 1.")


def check_network(settings: OnPictures) -> None:
    inside(settings, batch=(2, 1 << 20), width=(4, 4096), depth=(1, 100), stride=(1, 4))
    inside(settings, lr=(1e-8, 10), decay=(0, 10), average=(0, 0.99999))
    if settings.trunk not in TRUNKS:
        raise CaudexError(f"--trunk {settings.trunk} is unknown; choose {' or '.join(TRUNKS)}.")
