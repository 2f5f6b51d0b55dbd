"""Baselines of scikit-learn, from the same labels."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits
from torch import Tensor

from caudex.data import ImageSet, LabelledTexts, Split


def svm_accuracy(split: Split) -> float:
    """Accuracy of a support vector machine on the pixels of the labelled images."""
    return _test_accuracy(SVC(gamma="scale").fit(_pixel_matrix(split.labelled), split.labelled.labels.numpy()), split)


def self_training_accuracy(split: Split) -> float:
    """Accuracy of `SelfTrainingClassifier` around a support vector machine with probabilities.

    With fewer than five labels of a class these cannot be calibrated: then it is the plain support vector machine.
    """
    if torch.bincount(split.labelled.labels).min() < 5:
        return svm_accuracy(split)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SelfTrainingClassifier(SVC(gamma="scale", probability=True, random_state=0))
        return _test_accuracy(model.fit(*_pixels_and_labels(split)), split)


def label_spreading_accuracy(split: Split) -> float:
    """Accuracy of `LabelSpreading` over seven nearest neighbours; images that no label reaches count as the first class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.2, max_iter=100)
        return _test_accuracy(model.fit(*_pixels_and_labels(split)), split)


def predict_by_tfidf(labelled: LabelledTexts, test: LabelledTexts) -> Tensor:
    """int64 [N]: what logistic regression on TF-IDF of words and pairs of words predicts for the test."""
    tfidf = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    model = make_pipeline(tfidf, LogisticRegression(C=10, max_iter=1000))
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        model.fit(_joined_texts(labelled), labelled.labels.numpy())
    return torch.from_numpy(model.predict(_joined_texts(test)))


def _joined_texts(texts: LabelledTexts) -> list[str]:
    return texts.texts if texts.text_pairs is None else [f"{a} {b}" for a, b in zip(texts.texts, texts.text_pairs)]


def _pixel_matrix(images: ImageSet) -> np.ndarray:
    """Pixels in [0, 1]; or features, where the images are encoded."""
    inputs = images.inputs(slice(None)).flatten(1).float()
    return (inputs if images.features is not None else inputs.div(255)).numpy()


def _pixels_and_labels(split: Split) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.concatenate([_pixel_matrix(split.labelled), _pixel_matrix(split.unlabelled)])
    return pixels, np.concatenate([split.labelled.labels.numpy(), np.full(len(split.unlabelled), -1)])


def _test_accuracy(model, split: Split) -> float:
    return float((model.predict(_pixel_matrix(split.test)) == split.test.labels.numpy()).mean())
