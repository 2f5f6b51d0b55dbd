"""The head and the model of what is predicted: a class, tags, or a number."""

from __future__ import annotations

from caudex.core.learner import Learner
from caudex.core.signal import Signal
from caudex.core.specs import ImageSpec
from caudex.models.image_classifier import ImageClassifier
from caudex.models.image_predictor import ImagePredictor
from caudex.models.image_targets import ImageRegressor, ImageTagger
from caudex.signals import Labels
from caudex.signals.targets import NumberLabels, TagLabels
from caudex.trunks import FrozenEncoder


def label_head(spec: ImageSpec, zero_init: bool = False) -> Signal:
    """The signal that learns the labels; of classes, its head can begin with zeros."""
    if spec.target == "tags":
        return TagLabels(spec.tag_shares)
    if spec.target == "number":
        return NumberLabels(*spec.number)
    return Labels(len(spec.classes), zero_init=zero_init)


def make_predictor(learner: Learner, spec: ImageSpec, encoder: FrozenEncoder | None) -> ImagePredictor:
    """The model that predicts by the head of `label_head`."""
    kind = {"class": ImageClassifier, "tags": ImageTagger, "number": ImageRegressor}[spec.target]
    return kind(learner, spec, encoder)
