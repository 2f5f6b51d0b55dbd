"""Probes of the features that a language model has of texts."""

from __future__ import annotations

import warnings

import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor

from caudex.data import LabelledTexts
from caudex.data.stratified import seeded_permutation, split_stratified
from caudex.evaluation.probing import linear_probe_accuracy
from caudex.models.language_model import LanguageModel


def text_probe_accuracy(model: LanguageModel, train: LabelledTexts, test: LabelledTexts) -> float:
    """Test accuracy of logistic regression on the mean of the tokens' features; the trunk stays as it is."""
    features, test_features = (model.mean_features(part.texts, part.text_pairs) for part in (train, test))
    return linear_probe_accuracy(features, train.labels, test_features, test.labels)


def split_text_probe_accuracy(model: LanguageModel, texts: LabelledTexts, seed: int, max_texts: int = 4000) -> float:
    """`text_probe_accuracy` from three quarters of each class of at most `max_texts` of the texts, tested on the others; texts that
    are equal to one of these are not learned from."""
    texts = texts.select(seeded_permutation(len(texts), seed, "worth")[:max_texts])
    train, test = (texts.select(rows) for rows in split_stratified(texts.labels, 0.25, seed, "worth, held out"))
    return text_probe_accuracy(model, train.select(~train.stands_in(test)), test)


def fit_logistic_regression(
    features: Tensor, labels: Tensor, directions: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(weight [K, W], bias [K]) of a linear head for standardised features [N, W], of which each class has some.

    What the features are along `directions` [D, W] are further features, which a penalty on the weights hardly holds back where they are
    large; what is learned of them is folded into the head.
    """
    width = features.shape[1]
    inputs = features if directions is None else torch.cat([features, features @ directions.T], 1)
    with warnings.catch_warnings(), threadpool_limits(1):  # so small that threads only wait for each other
        warnings.simplefilter("ignore")  # it stopped after 1,000 steps: good enough
        model = LogisticRegression(C=0.1, max_iter=1000).fit(inputs.numpy(), labels.numpy())
    weight, bias = (torch.from_numpy(part).float() for part in (model.coef_, model.intercept_))
    if len(weight) == 1:  # of two classes: the logit of the second
        weight, bias = torch.cat([-weight / 2, weight / 2]), torch.cat([-bias / 2, bias / 2])
    return weight[:, :width] + (0 if directions is None else weight[:, width:] @ directions), bias
