"""Which method to begin with, and what more labels are worth: measured by cross-fitting within few labels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.progress import track
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.data import ImageSet, Split
from caudex.data.stratified import class_counts, seeded_permutation
from caudex.evaluation.learning_curve import Forecast, Trial, forecast_accuracy
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.studies.methods import (
    BASELINES,
    LABEL_SPREADING,
    LOGISTIC_REGRESSION,
    MAX_UNLABELLED,
    Method,
    few_label_systems,
    predict_by_baseline,
)
from caudex.systems.studies.text_methods import SPREADING
from caudex.systems.studies.trial_files import Predictor, remember_predictions
from caudex.systems.text.frozen_texts import MINILM
from caudex.systems.text.text_labels import WORDS

LEARNED_FOLDS = (((0,), (2,)), ((0, 2), (1, 3)), ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2)))
"""of four folds of the labels, those that a trial learns from, by the share that they are; it is tested on the others"""
MIN_LABELS, MIN_PER_CLASS = 10, 2
SHORT = {
    True: {
        "supervised": {"steps": 100, "lr": 0.03, "average": 0.9},
        "noisy-student": {"steps": 100, "lr": 0.009, "average": 0.97},
    },
    False: {"supervised": {"steps": 300}, "noisy-student": {"steps": 150, "rounds": 3}},
}
"""settings of the trials, on features and with a network from scratch; chosen on draw 104 of emoji and 100 of digits"""
PREFERRED = ("noisy-student", LABEL_SPREADING, "supervised", LOGISTIC_REGRESSION, MINILM, SPREADING, WORDS)
"""of methods that are equally good, the one to begin with: of images, by the mean accuracy with ten labels of each class on digits, photos and
emoji (docs/pretrained.md, docs/supervised.md)"""
EQUAL = 0.005
"""accuracies that differ by less count as equal"""


class MethodTrials(NamedTuple):
    """The trials of a method, in the same order as those of the others; and its errors, (label, prediction), at the largest share."""

    trials: list[Trial]
    errors: Counter[tuple[int, int]]


class Advice(NamedTuple):
    """Trials and forecast of each method, and the one to begin with."""

    methods: dict[str, MethodTrials]
    forecasts: dict[str, Forecast]
    best: str
    classes: tuple[str, ...]
    num_labels: int
    majority: float


def advise(
    labels: Tensor,
    classes: Sequence[str],
    predictors: Mapping[str, Predictor],
    more: int,
    seed: int,
    repeats: int = 1,
    run: Run | None = None,
) -> Advice:
    """What each method reaches with today's labels, int64 [N], and with `more`.

    Each learns from some folds of the labels and is tested on the others; the folds are the same for all. With a run, predictions that it
    has are not made again. Raises CaudexError where the labels are too few.
    """
    check_labels(labels, classes)
    if run:
        predictors = {n: remember_predictions(run, n, predict, len(classes)) for n, predict in predictors.items()}
    draws = list(draw_rows(labels, repeats, seed))
    measured = {name: MethodTrials([], Counter()) for name in predictors}
    jobs = [(name, number) for number in range(len(draws)) for name in predictors]
    for name, number in track(jobs, "measuring", len(jobs)):
        size, train, test = draws[number]
        predictions, truth = predictors[name](train, test, derive_seed(seed, "trial", number)), labels[test]
        measured[name].trials.append(Trial(size, test.numpy(), (predictions == truth).numpy()))
        if size == draws[-1].size:
            wrong = predictions != truth
            measured[name].errors.update(zip(truth[wrong].tolist(), predictions[wrong].tolist()))
    forecasts = {name: forecast_accuracy(part.trials, len(labels), more, seed) for name, part in measured.items()}
    counts = class_counts(labels, classes)
    majority = max(counts) / sum(counts)
    return Advice(measured, forecasts, choose_method(measured, forecasts), tuple(classes), len(labels), majority)


def check_labels(labels: Tensor, classes: Sequence[str]) -> None:
    counts = class_counts(labels, classes)
    if len(counts) < 2:
        problem = f"all labels are of one class, {classes[0]!r}" if counts else "nothing is labelled"
        raise CaudexError(f"{problem}; label at least {MIN_PER_CLASS} examples of each of two classes.")
    if min(counts) < MIN_PER_CLASS or sum(counts) < MIN_LABELS:
        name = classes[counts.index(min(counts))]
        raise CaudexError(
            f"{sum(counts)} labels, {min(counts)} of class {name!r}, are too few to learn from some and test on others; label at least "
            f"{MIN_PER_CLASS} of each class, {MIN_LABELS} in all."
        )


def advise_on_images(
    images: ImageSet,
    encoder: nn.Module | None,
    methods: Mapping[str, Method],
    more: int,
    seed: int,
    repeats: int = 1,
    run: Run | None = None,
) -> Advice:
    """`advise` for images of which some are labelled."""
    labelled = images.take(images.is_labelled)
    unlabelled = images.take(~images.is_labelled).without_labels().subsample(MAX_UNLABELLED)

    def predict(method: Method, train: Tensor, test: Tensor, seed: int) -> Tensor:
        split = Split(labelled.take(train), unlabelled, labelled.take(test), train=unlabelled, encoder=encoder)
        return trial_predictions(method, split, seed)

    methods = {name: part for name, part in methods.items() if len(unlabelled) or not part.needs_unlabelled}
    predictors = {name: partial(predict, method) for name, method in methods.items()}
    return advise(labelled.labels, labelled.classes, predictors, more, seed, repeats, run)


def cheap_methods(settings: FewLabels) -> dict[str, Method]:
    """By name, what takes minutes with these settings."""
    supervised, student = few_label_systems(settings)
    methods = {name: Method(supervised, name) for name in BASELINES}
    return methods | {"supervised": Method(supervised), "noisy-student": Method(student)}


def short_methods(settings: FewLabels, on_features: bool) -> dict[str, Method]:
    """The same, with fewer steps and students: nearly as accurate, in a third of the time. A head on features learns as far in fewer steps of
    as much larger a rate."""
    methods = cheap_methods(settings)
    for name, short in SHORT[on_features].items():
        methods[name] = Method(replace(methods[name].system, **short))
    return methods


class TrialRows(NamedTuple):
    """Rows to learn from, about `size` of them, and rows to test on."""

    size: int
    train: Tensor  # int64 [M]
    test: Tensor  # int64 [N - M]


def draw_rows(labels: Tensor, repeats: int, seed: int) -> Iterator[TrialRows]:
    """Cross-fitting: the labelled examples are divided into four stratified folds, `repeats` times, and each trial learns from one, two or
    three of them. At each size from two folds on each example is tested once a division. Of each class at least one is learned from.
    """
    for repeat in range(repeats):
        order = seeded_permutation(len(labels), derive_seed(seed, "advise", repeat), "order")
        order = order[
            labels[order].argsort(stable=True)
        ]  # two neighbours, as a class has at least, lie in the one half and in the other
        folds = torch.arange(len(order)) % 4
        for groups in LEARNED_FOLDS:
            trains = [
                with_all_classes(order[torch.isin(folds, torch.tensor(group))], order, labels) for group in groups
            ]
            size = round(sum(map(len, trains)) / len(trains))
            if size < len(labels) / 2 or len(groups[0]) > 1:
                for train in trains:
                    is_test = torch.ones(len(labels), dtype=torch.bool).index_fill(0, train, False)
                    yield TrialRows(size, train, is_test.nonzero().flatten())


def with_all_classes(rows: Tensor, order: Tensor, labels: Tensor) -> Tensor:
    """The rows, and the first in `order` of each class that is not among them."""
    missing = set(labels.tolist()) - set(labels[rows].tolist())
    return torch.cat([rows, *(order[labels[order] == label][:1] for label in sorted(missing))])


def trial_predictions(method: Method, split: Split, seed: int) -> Tensor:
    """int64 [M]: the classes of the split's test images."""
    if method.baseline:
        return predict_by_baseline(method, split)
    system = replace(method.system, seed=seed % 2**31)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, system.seed)
        run.quiet = True
        classifier = system.train_classifier(run, replace(split, test=split.test.take(slice(0, 0))))
    return classifier.probabilities(split.test).argmax(1)


def choose_method(measured: Mapping[str, MethodTrials], forecasts: Mapping[str, Forecast]) -> str:
    """Of the methods that are within two standard errors of the most accurate, the first of `PREFERRED`: few labels cannot tell alike
    methods apart, and what was best elsewhere is the better guess. With one (Breiman et al. 1984, section 3.4.3) the choice was best or
    within a point in 17 of draws 200 to 219 of emoji, with two in 20."""
    best = max(forecasts, key=lambda name: forecasts[name].now)

    def is_as_good(name: str) -> bool:
        margin = max(EQUAL, 2 * std_error_of_gain(measured[best], measured[name]))
        return forecasts[best].now - forecasts[name].now <= margin

    return next(name for name in PREFERRED if name in forecasts and is_as_good(name))


def std_error_of_gain(method: MethodTrials, other: MethodTrials) -> float:
    """Of the difference in accuracy at the largest size, paired by tested example."""
    largest = max(trial.size for trial in method.trials)
    pairs = [(a, b) for a, b in zip(method.trials, other.trials) if a.size == largest]
    rows = np.concatenate([a.rows for a, _ in pairs])
    differences = np.concatenate([a.is_right.astype(float) - b.is_right for a, b in pairs])
    means = np.bincount(rows, differences) / np.bincount(rows).clip(1)
    return float(means.std() / len(np.unique(rows)) ** 0.5)


def gain_over(advice: Advice, name: str, seed: int) -> tuple[float, float, float]:
    """How much more accurate the best method is than another at the largest share of labels, with its 95% interval: by resampling the
    labelled images, on which both were tested."""
    best, other = advice.methods[advice.best], advice.methods[name]
    largest = max(trial.size for trial in best.trials)
    total, tested = np.zeros(advice.num_labels), np.zeros(advice.num_labels)
    for a, b in zip(best.trials, other.trials):
        if a.size == largest:
            total[a.rows] += a.is_right.astype(float) - b.is_right
            tested[a.rows] += 1
    weights = np.random.default_rng(seed).multinomial(
        advice.num_labels, np.full(advice.num_labels, 1 / advice.num_labels), 2000
    )
    gains = (weights @ total) / (weights @ tested).clip(1e-9)
    return float(total.sum() / tested.sum()), *map(float, np.quantile(gains, [0.025, 0.975]))


def confused_classes(
    errors: Counter[tuple[int, int]], classes: Sequence[str], top: int = 3
) -> list[tuple[str, str, int]]:
    """Pairs of classes that are taken for each other most often, and how often."""
    pairs: Counter[tuple[int, int]] = Counter()
    for (label, prediction), count in errors.items():
        pairs[min(label, prediction), max(label, prediction)] += count
    return [(classes[a], classes[b], count) for (a, b), count in pairs.most_common(top)]


def settings_for(trunk: str, seed: int, **settings) -> FewLabels:
    """Those that all methods share, with the trunk that `auto` stands for."""
    return find_class("systems", "supervised")(trunk=trunk, seed=seed, **settings).resolve()
