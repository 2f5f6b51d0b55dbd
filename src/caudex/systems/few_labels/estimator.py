"""The systems that learn from few labels as an estimator of scikit-learn."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from caudex.core.registry import did_you_mean, find_class
from caudex.core.run import Run
from caudex.data import Split
from caudex.systems.few_labels.estimator_inputs import ImageInputs, VectorInputs, is_vectors
from caudex.systems.few_labels.shared import FewLabels
from caudex.systems.image_trunks import idle_signals

METHODS = ("noisy-student", "supervised", "two-heads")


class CaudexClassifier(ClassifierMixin, BaseEstimator):
    """noisy-student, supervised or two-heads as a classifier of scikit-learn.

    `X`: images, uint8 or floats in [0, 1], [N, H, W] or [N, H, W, C]; or paths of image files, [N]; or vectors, [N, D].
    `y` [N]: classes, -1 where unlabelled; classes that are words come as objects. `score` leaves out what is unlabelled, so that a
    search over settings measures by labels alone.

    `trunk`, `finetune` and `size` are of images, as in `caudex train METHOD --help`; of vectors "auto" is two hidden layers, and "linear" a
    linear classifier on vectors brought to one length, for embeddings. Where a setting is None, the method's own holds; `settings` are
    further ones, such as {"soft": True}. Everything random follows from `random_state`.

    Attributes: `classes_` [K]; `classifier_`, the network; `n_features_in_`, of vectors.
    Raises ValueError where nothing is labelled or a class stands alone, and CaudexError for settings and files that do not fit.

    >>> CaudexClassifier(random_state=0).fit(images, labels).predict_proba(other_images)
    """

    def __init__(
        self,
        method: str = "noisy-student",
        *,
        trunk: str = "auto",
        finetune: int = 0,
        size: int = 0,
        steps: int | None = None,
        rounds: int | None = None,
        batch: int | None = None,
        lr: float | None = None,
        dropout: float | None = None,
        magnitude: float | None = None,
        settings: dict[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.method = method
        self.trunk = trunk
        self.finetune = finetune
        self.size = size
        self.steps = steps
        self.rounds = rounds
        self.batch = batch
        self.lr = lr
        self.dropout = dropout
        self.magnitude = magnitude
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> CaudexClassifier:
        """Learn from `X` [N, ...] with the labels `y` [N], -1 where there is none."""
        if vectors := is_vectors(X):
            X = validate_data(self, X, dtype=np.float64)
        check_consistent_length(X, y)
        labels, self.classes_ = encode_labels(y)
        if vectors:
            self.inputs_ = VectorInputs(X, self.trunk)
        else:
            also = (self.settings or {}).get("also", find_class("systems", self.method).also)
            idle = idle_signals(also, self.finetune)
            self.inputs_ = ImageInputs(X, self.trunk, self.size, self.finetune, idle)
        labels, is_labelled = torch.from_numpy(labels), torch.from_numpy(labels >= 0)
        images = replace(self.inputs_.read(X), labels=labels, classes=tuple(map(str, self.classes_)))
        unlabelled, nothing = images.take(~is_labelled), images.take([])
        split = Split(images.take(is_labelled), unlabelled, nothing, train=images, encoder=self.inputs_.encoder)
        system = self._make_system(has_unlabelled=len(unlabelled) > 0)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(folder, system.seed)
            run.quiet = not self.verbose
            self.classifier_ = system.train_classifier(run, split)
        if vectors:
            self.classifier_.double()  # in float32 predictions depend, in the seventh digit, on what else is predicted
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each, [N]."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """[N, K], in the order of `classes_`; not calibrated."""
        check_is_fitted(self)
        if isinstance(self.inputs_, VectorInputs):
            X = validate_data(self, X, dtype=np.float64, reset=False)
        probabilities = self.classifier_.probabilities(self.inputs_.read(X)).double().numpy()
        return probabilities / probabilities.sum(1, keepdims=True)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on what is labelled."""
        labelled = np.flatnonzero(has_label(np.asarray(y)))
        parts = (None if part is None else _safe_indexing(part, labelled) for part in (X, y, sample_weight))
        return super().score(*parts)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def _make_system(self, has_unlabelled: bool) -> FewLabels:
        """The system with the settings that are given. Raises CaudexError for one out of its range."""
        if self.method not in METHODS:
            raise ValueError(
                f"method={self.method!r}: choose {', '.join(METHODS)}.{did_you_mean(self.method, METHODS)}"
            )
        names = ("steps", "rounds", "batch", "lr", "dropout", "magnitude")
        settings = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        settings |= self.settings or {}
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        kind = self.inputs_.system_kind(find_class("systems", self.method))
        if unknown := sorted(settings.keys() - {*kind.__dataclass_fields__}):
            raise ValueError(f"{unknown[0]}={settings[unknown[0]]!r}: {self.method} has no such setting; leave it out.")
        system = kind(
            **self.inputs_.settings(kind) | settings | {"seed": seed, "finetune": self.finetune, "calibrate": False}
        )
        if isinstance(self.inputs_, VectorInputs) and system.also:
            raise ValueError(f"also={system.also!r}: these signals are about images, not vectors; leave them out.")
        system.check()
        if hasattr(system, "rounds") and not has_unlabelled:
            warnings.warn(f"y labels all of X, so {self.method} learns as supervised does.", stacklevel=3)
            shared = {field.name: getattr(system, field.name) for field in fields(FewLabels)}
            shared["steps"] *= 1 + system.rounds
            return self.inputs_.system_kind(find_class("systems", "supervised"))(**shared)
        return system


def encode_labels(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """int64 [N], -1 where unlabelled, and the classes [K]. Raises ValueError where fewer than two are labelled."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None; it has -1 where X is unlabelled.")
    y = column_or_1d(y, warn=True)
    labelled = has_label(y)
    if not labelled.any():
        raise ValueError("y labels nothing; label a few of each class, and give -1 for the others.")
    check_classification_targets(y[labelled])
    classes, numbers = np.unique(y[labelled], return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has one class, {classes.tolist()[0]!r}; a classifier needs two.")
    labels = np.full(len(y), -1)
    labels[labelled] = numbers
    return labels, classes


def has_label(y: np.ndarray) -> np.ndarray:
    """bool [N]: False where it is -1."""
    return np.array([label != -1 for label in y.tolist()], dtype=bool)
