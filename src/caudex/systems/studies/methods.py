"""The methods that labels-saved compares: of a network that begins at random, and on a pretrained one."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from typing import NamedTuple

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading
from threadpoolctl import threadpool_limits
from torch import Tensor

from caudex.core.compute import count_flops
from caudex.core.learner import Learner
from caudex.core.registry import find_class
from caudex.core.system import System
from caudex.data import Batch, Split
from caudex.evaluation.cross_fitting import quick_classifier
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.image_trunks import is_pretrained
from caudex.systems.shared import image_spec, standardise_inputs

FROM_SCRATCH = "from scratch: "
"""begins the names of methods with a network that begins at random, where others have a pretrained one"""


class Method(NamedTuple):
    """A way to learn from few labels: that of the system, or a `baseline` of scikit-learn on its features."""

    system: FewLabels
    baseline: str = ""

    @property
    def needs_unlabelled(self) -> bool:
        return hasattr(self.system, "rounds") or self.baseline == LABEL_SPREADING


def methods_from_scratch(
    settings: FewLabels, pretraining: tuple[str, ...], auxiliary: tuple[str, ...]
) -> dict[str, Method]:
    """By name; `start` is the signal of `pretraining` that is learned first, whose run is put in its place later."""
    supervised, student = few_label_systems(settings)
    systems = {
        "supervised": supervised,
        "noisy-student": student,
        **{f"{name} first": replace(supervised, start=name) for name in pretraining},
        f"{pretraining[-1]} first, then noisy-student": replace(student, start=pretraining[-1]),
        **{f"with {signals}": replace(supervised, also=tuple(signals.split("+"))) for signals in auxiliary},
    }
    return {name: Method(system) for name, system in systems.items()}


def methods_on_features(settings: FewLabels, tuned_blocks: int) -> dict[str, Method]:
    """By name: heads and baselines on the features of a frozen trunk, and its last blocks fine-tuned."""
    supervised, student = few_label_systems(settings)
    methods = {name: Method(supervised, name) for name in BASELINES}
    methods |= {"supervised": Method(supervised), "noisy-student": Method(student)}
    if tuned_blocks:
        methods["fine-tuned"] = Method(replace(supervised, finetune=tuned_blocks))
        methods["fine-tuned noisy-student"] = Method(replace(student, finetune=tuned_blocks, rounds=2))
    return methods


def few_label_systems(settings: FewLabels) -> tuple[FewLabels, FewLabels]:
    """supervised and noisy-student with the same settings, without what a comparison of methods measures itself."""
    names = {field.name for field in fields(FewLabels)} - {field.name for field in fields(System)} | {"seed"}
    shared = {name: getattr(settings, name) for name in names} | {"calibrate": False}
    supervised, student = (find_class("systems", name) for name in ("supervised", "noisy-student"))
    return supervised(**shared), student(**shared, baseline=False)


MAX_UNLABELLED = 10_000
"""examples without a label that `advise` learns from, evenly spaced; label spreading compares each with each"""
LOGISTIC_REGRESSION, LABEL_SPREADING = "logistic regression", "label spreading"
BASELINES = {
    LOGISTIC_REGRESSION: lambda: LogisticRegression(max_iter=1000),
    LABEL_SPREADING: lambda: LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.5, max_iter=100),
}
"""of scikit-learn; chosen by `benchmarks/pretrained.py tune`"""


def baseline_accuracy(method: Method, split: Split) -> float:
    """Test accuracy of a baseline."""
    return (predict_by_baseline(method, split) == split.test.labels).float().mean().item()


def predict_by_baseline(method: Method, split: Split) -> Tensor:
    """int64 [M]: the classes of the test images, by `baseline_features`; of pixels, by the quick classifier in the place of logistic
    regression."""
    features, test_features = baseline_features(method, split)
    labels = torch.cat([split.labelled.labels, torch.full((len(split.unlabelled),), -1)])
    rows = slice(None) if method.needs_unlabelled else slice(len(split.labelled))
    model = BASELINES[method.baseline]()
    if split.encoder is None and method.baseline == LOGISTIC_REGRESSION:
        model = quick_classifier(features[rows], are_features=False)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # images that no label reaches are of the first class
        return torch.from_numpy(model.fit(features[rows].numpy(), labels[rows].numpy()).predict(test_features.numpy()))


@torch.no_grad()
def baseline_features(method: Method, split: Split) -> tuple[Tensor, Tensor]:
    """[N, D] of the labelled and then the unlabelled images, and [M, D] of the test: as the system's head has them, centred and of one
    length; or their pixels in [0, 1]."""
    if split.encoder is None:
        labelled, unlabelled, test = (
            part.fetch(slice(None)).flatten(1).float() / 255 for part in (split.labelled, split.unlabelled, split.test)
        )
        return torch.cat([labelled, unlabelled]), test
    trunk = method.system.learner(image_spec(split), encoder=split.encoder).trunk.eval()
    standardise_inputs(trunk, split.unlabelled if len(split.unlabelled) else split.labelled, split.labelled)
    labelled, unlabelled, test = (
        trunk(part.inputs(slice(None))).pooled for part in (split.labelled, split.unlabelled, split.test)
    )
    return torch.cat([labelled, unlabelled]), test


SCRATCH = "from scratch"


def network_name(system: FewLabels) -> str:
    """Of the network that learns: those of one name share one budget."""
    if not is_pretrained(system.trunk):
        return SCRATCH
    return "fine-tuned" if system.finetune else "on frozen features"


@torch.no_grad()
def flops_per_image(system: FewLabels, split: Split) -> float:
    """Of a forward pass of what learns from labels."""
    learner = system.learner(image_spec(split), encoder=split.encoder).eval()
    with count_flops(learner) as counter:
        learner.signals["labels"].logits(learner.trunk, split.test.inputs([0]))
    return counter.flops


@torch.no_grad()
def try_forward(learner: Learner, split: Split) -> None:
    """Two images go through, so that a signal which cannot learn from such is refused before the first training."""
    rows = torch.arange(min(2, len(split.train)))
    images = split.train.fetch(rows).float() / 255
    learner(dict.fromkeys(learner.signals, Batch(images, torch.zeros_like(rows), rows, other_images=images)))
