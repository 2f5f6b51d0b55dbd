"""What the systems that learn from few labelled images share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.optim import SGD, AdamW

from caudex import data, views
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.hardware import torch_threads
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import ImageSpec
from caudex.core.system import load, open_run, system_name
from caudex.core.trunk import Trunk
from caudex.core.weights import load_weights
from caudex.data import Batches, ImageSet, Join, Split
from caudex.data.images.targets import check_target
from caudex.models.encoder import update_bn
from caudex.models.image_classifier import ImageClassifier
from caudex.models.image_predictor import ImagePredictor
from caudex.systems.few_labels.cross_validation import calibration_warning
from caudex.systems.few_labels.targets import label_head, make_predictor
from caudex.systems.image_trunks import idle_signals, is_pretrained, open_encoder, resolve_trunk, untrained_encoder
from caudex.systems.shared import ImageSystem, image_spec, standardise_inputs
from caudex.trunks import FeatureTrunk, FrozenEncoder


@dataclass
class FewLabels(ImageSystem):
    """A system that learns a classifier from few labelled images. Each brings `train_and_test`."""

    trunk: str = "auto"
    """auto: efficientnet-lite0 for colour images of your own, if nothing but labels teaches, else small; efficientnet-lite0, hf:NAME, a folder of transformers,
    resnet50:FILE: pretrained, mostly with ImageNet's 1.3 million labels, and frozen; small, resnet50: a residual net at random"""
    finetune: int = 0
    """the last blocks of a pretrained trunk that learn, too"""
    labels_per_class: int | None = None
    """labels to keep of each class, the others are hidden; 0 keeps all; default: 10 of a packaged set, all of your own"""
    label_seed: int | None = None
    """seed of the draw of these labels, if it is to be another than --seed"""
    magnitude: float = 0.4
    """strength of RandAugment, 0 to 1, two operations an image"""
    dropout: float = 0.4
    """share of the features left out while learning"""
    survival: float = 0.8
    """chance that the last residual branch is kept (stochastic depth)"""
    start: str | None = None
    """begin with the trunk of this run, such as one of simclr, instead of a random one"""
    target: str | None = None
    """what a table says of an image: class:COLUMN, tags:COLUMN (names separated by |) or number:COLUMN; default: the class in
    the column label, else the tags in the column tags, else the class in the first"""
    balanced: bool = False
    """as many labelled images of each class in a batch, for sets where one class has most: the rare ones are repeated"""
    off_topic: float | None = None
    """for study: learn the first half of the classes, with this share of the unlabelled images from the others"""

    targets: ClassVar[tuple[str, ...]] = ("class",)
    """the kinds of target that the system learns"""
    takes_pretrained: ClassVar = True

    def train_and_test(self, run: Run, split: Split) -> tuple[ImageClassifier, dict]:
        """The trained classifier, and what results.json holds: its figures and those of its baselines."""
        raise NotImplementedError

    def train_classifier(self, run: Run, split: Split) -> ImageClassifier:
        """The trained classifier alone: no baselines, figures and results."""
        raise NotImplementedError

    def train(self, run: Run) -> ImageClassifier:
        if self.trunk == "auto":
            return self.resolve().train(run)
        split = self.load_split()
        self.record_spec(run, split)
        classifier, results = self.train_and_test(run, split)
        run.write_json("results", results)
        return classifier

    def model(self, spec: ImageSpec) -> ImagePredictor:
        encoder = untrained_encoder(spec.trunk, self.finetune) if spec.trunk else None
        return make_predictor(self.last_learner(spec, encoder), spec, encoder)

    def last_learner(self, spec: ImageSpec, encoder: FrozenEncoder | None) -> Learner:
        """That of the model which `train` returns."""
        return self.learner(spec, encoder=encoder)

    def resolve(self) -> Self:
        """With the trunk that `auto` stands for, and the hash of the weights of a pretrained one."""
        trunk = open_run(self.start)[0].trunk if self.start and self.trunk == "auto" else self.trunk
        idle = idle_signals(self.also, self.finetune)
        return replace(self, trunk=resolve_trunk(trunk, self.data, self.labels, idle, self.target))

    def load_split(self) -> Split:
        """Of a packaged set ten labels a class are kept by default. The test images are those that the run of `--start`
        held out, or its trunk would have learned from them."""
        per_class, seed, start = self.labels_per_class, self.seed, self.start
        if per_class is None and self.data in data.PACKAGED_IMAGES:
            per_class = 10
        while start:
            earlier = open_run(start)[0]
            seed, start = earlier.seed, getattr(earlier, "start", None)
        encoder = open_encoder(self.trunk, self.finetune) if is_pretrained(self.trunk) else None
        split = data.load_images(
            self.data,
            labels_per_class=per_class or None,
            labels=self.labels,
            size=self.size or (encoder.image_size if encoder else 0),
            pad=self.pad,
            max_pixels=self.max_pixels,
            seed=seed,
            label_seed=self.seed if self.label_seed is None else self.label_seed,
            target=self.target or "auto",
            on_demand=encoder is not None,
        )
        self.check_target(split.labelled)
        if self.off_topic is not None:
            split = data.with_off_topic(split, self.off_topic, self.seed)
        if encoder and self.also:  # a signal that cannot learn on it is refused before images are encoded
            self.learner(image_spec(replace(split, encoder=encoder)), encoder=encoder)
        return data.encode_split(split, encoder) if encoder else split

    def check_target(self, images: ImageSet) -> None:
        """Raises CaudexError for tags or numbers that the system cannot learn."""
        if images.target not in self.targets:
            column = images.target_name
            raise CaudexError(
                f"{system_name(self)} learns classes, and column {column!r} has {images.target}: `caudex train supervised` learns "
                f"these; --target class:{column} takes each value for a class."
            )
        if self.balanced and images.target != "class":
            raise CaudexError(
                f"--balanced is about classes, and column {images.target_name!r} has {images.target}; leave it out."
            )

    def augmentation(self, spec: ImageSpec) -> views.Compose:
        """RandAugment, and mirroring; nothing of the kind where features are learned from, which dropout alone disturbs."""
        augment = views.RandAugment(2, self.magnitude)
        return views.Compose(
            [views.RandomHorizontalFlip()] * self.should_mirror(spec) + [augment] * (self.magnitude > 0)
        )

    def learner(self, spec: ImageSpec, width: int | None = None, encoder: FrozenEncoder | None = None) -> Learner:
        """A trunk with a head for the labels and those of `--also`, on half a cosine, weights averaged: AdamW; on what follows an encoder,
        SGD with momentum, which keeps a linear head's margin where labels are few."""
        if encoder:
            trunk = FeatureTrunk(encoder, spec.shape[0], self.dropout)
            optimizer = partial(SGD, momentum=0.9, nesterov=True)
        else:
            trunk, optimizer = self.build_trunk(spec, width, self.dropout, self.survival), AdamW
        signals = self.with_extra_signals({"labels": label_head(spec, zero_init=encoder is not None)}, spec)
        optimizer = partial(optimizer, lr=self.lr, weight_decay=self.decay, fused=True)
        return Learner(trunk, signals, optimizer, cosine_schedule, average=self.average)

    def fit_labels(self, run: Run, split: Split, **budget) -> ImageClassifier:
        """A new network learns from the labelled images and the signals of `--also`."""
        spec = image_spec(split)
        with run.seeded("weights"):
            learner = self.learner(spec, encoder=split.encoder)
        return self.fit_learner(run, split, learner, self.labelled_batches(run, split), **budget)

    def labelled_batches(
        self, run: Run, split: Split, size: int | None = None, labels: Tensor | None = None
    ) -> Batches:
        """The labelled images, `size` at a time (else as the settings say); `labels` as in `Batches`."""
        view = self.augmentation(image_spec(split))
        return Batches(split.labelled, size or self.batch, run.seed, view, labels, balanced=self.balanced)

    def fit_learner(
        self, run: Run, split: Split, learner: Learner, labelled: Batches | Join, **budget
    ) -> ImagePredictor:
        """Fit the learner: its labels from `labelled`, the signals of `--also` from the images that they need."""
        spec = image_spec(split)
        unlabelled = split.unlabelled if len(split.unlabelled) else split.labelled
        if self.start:
            self.load_start(learner.trunk)
        else:
            standardise_inputs(learner.trunk, unlabelled, split.labelled)
        images = unlabelled.without_features()  # signals turn and mask pixels
        one_view, two_views = self.augmentation(spec), views.simclr_augmentation(flip=self.should_mirror(spec))
        extra_sources = self.match_sources(
            {name: signal for name, signal in learner.signals.items() if name != "labels"},
            labelled=Batches(split.labelled, self.batch, run.source_seed("labelled"), one_view),
            unlabelled=Batches(images, self.batch, run.source_seed("unlabelled"), one_view),
            pairs=Batches(images, self.batch, run.source_seed("pairs"), two_views, two_views=True),
        )
        self.print_data(run, split)
        test = split.test.subsample(1000)

        def predictor(learner: Learner) -> ImagePredictor:
            if extra_sources and not split.encoder:  # turned and holed images went through the trunk too
                update_bn(learner.averaged[0], unlabelled)
            return make_predictor(learner, spec, split.encoder)

        evaluate = (lambda learner: predictor(learner).metrics(test)) if len(test) else None
        num_threads = 1 if split.encoder and not self.finetune else torch.get_num_threads()
        with torch_threads(num_threads):  # a head alone is so small that threads only wait for each other
            return predictor(fit(learner, {"labels": labelled} | extra_sources, **budget, run=run, evaluate=evaluate))

    def load_start(self, trunk: Trunk) -> None:
        """Load the trunk's weights from the run of `--start`. Raises CaudexError where its trunk is another."""
        system = open_run(self.start)[0]
        weights = load(self.start).trunk.state_dict()
        if "standardise.mean" not in weights and not is_pretrained(getattr(system, "trunk", "small")):
            raise CaudexError(
                f"--start {self.start} holds no trunk for images; begin with a run that learned from some."
            )
        if "standardise.mean" in weights and hasattr(trunk, "standardise"):
            start_channels, channels = len(weights["standardise.mean"]), len(trunk.standardise.mean)
            if start_channels != channels:
                colours = {1: "grey", 3: "colour"}
                raise CaudexError(
                    f"--start {self.start} learned from {colours[start_channels]} images, these are {colours[channels]}; "
                    "begin with a run on such."
                )
        names = [name for name in ("trunk", "finetune", "width", "depth", "stride") if hasattr(system, name)]
        if different := [name for name in names if getattr(system, name) != getattr(self, name)]:
            flags = " ".join(f"--{name} {getattr(system, name)}" for name in different)
            raise CaudexError(f"--start {self.start} has another network; add {flags}.")
        load_weights(trunk, weights)

    def warn(self, results: dict) -> list[str]:
        return super().warn(results) + calibration_warning(results)

    def check(self) -> None:
        super().check()
        if self.target is not None:
            check_target(self.target)
        endless = float("inf")
        check_range(self, labels_per_class=(0, endless), label_seed=(0, endless), magnitude=(0, 1), off_topic=(0, 1))
        check_range(self, dropout=(0, 0.9), survival=(0.1, 1), finetune=(0, 100))
        if self.trunk == "resnet50" and (self.dropout, self.survival) != (0, 1):
            raise CaudexError(
                "--trunk resnet50 has neither dropout nor stochastic depth; add --dropout 0 --survival 1."
            )


def require_test_images(split: Split) -> None:
    """Raises CaudexError where nothing was held out, so that no claim can be measured."""
    if len(split.test) == 0:
        raise CaudexError(
            "there are no images to test on; label at least five of each class, or add a folder test/CLASS/."
        )
