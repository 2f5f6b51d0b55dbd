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


def label_head(spec: ImageSpec) -> Signal:
    """The signal that learns the labels."""
    if spec.target == "tags":
        return TagLabels(spec.tag_shares)
    if spec.target == "number":
        return NumberLabels(*spec.number)
    return Labels(len(spec.classes))


def make_predictor(learner: Learner, spec: ImageSpec) -> ImagePredictor:
    """The model that predicts by the head of `label_head`."""
    return {"class": ImageClassifier, "tags": ImageTagger, "number": ImageRegressor}[spec.target](learner, spec)
